//! The provider: links come and go, requests are sent.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use wattle_http::outgoing::{SEND, Scope};
use wattle_sdk::{
    CallError, Context, ErrorKind, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider, Reply,
    Side, StartError,
};

use crate::{link::Link, near::Near, request::send, settings::LinkSettings};

/// `wasi:http/outgoing-handler` over hyper.
#[derive(Debug)]
pub(crate) struct HttpClient {
    /// The links that hold now, by number. Calls read a snapshot; only a link that comes or goes makes a new one.
    links: ArcSwap<BTreeMap<u32, Arc<Link>>>,
    near: Arc<Near>,
}

impl Provider for HttpClient {
    const CONSTRAINTS: &'static [&'static str] = wattle_http::outgoing::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        Ok(Self { links: ArcSwap::default(), near: Near::watch(&context.host).await })
    }

    async fn put_link(&self, grant: LinkGrant) -> Result<LinkDetail, LinkError> {
        let refused = |error: &dyn std::error::Error| LinkError::new(error.to_string());
        if grant.side == Side::Source {
            return Err(LinkError::new("an HTTP client is called, it does not call"));
        }
        let scope = Scope::new(&grant.constraints).map_err(|error| refused(&error))?;
        let settings = LinkSettings::parse(&grant.config).map_err(|error| refused(&error))?;
        let link = Link::new(scope, settings, Arc::clone(&self.near)).await;
        let link = link.map_err(|error| refused(&error))?;
        let link = Arc::new(link);
        self.links.rcu(|links| {
            let mut links = BTreeMap::clone(links);
            links.insert(grant.link, Arc::clone(&link));
            links
        });
        Ok(LinkDetail::default())
    }

    /// Requests that are under way keep their link until they end; connections that idle are closed with it.
    async fn delete_link(&self, number: u32) {
        self.links.rcu(|links| {
            let mut links = BTreeMap::clone(links);
            links.remove(&number);
            links
        });
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let link = self.links.load().get(&call.link).cloned();
        async move {
            if (&*call.interface, &*call.function) != (SEND.interface, SEND.function) {
                let text = format!("an HTTP client serves {SEND} and nothing else");
                return Err(CallError::new(ErrorKind::NotFound, text));
            }
            let gone = || CallError::new(ErrorKind::Denied, "this link does not hold any more");
            send(&link.ok_or_else(gone)?, call).await
        }
    }
}
