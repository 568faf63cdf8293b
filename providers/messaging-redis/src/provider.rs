//! The provider: links come and go, calls are answered, messages are handed over.

use std::{sync::Arc, time::Duration};

use tokio::time::{timeout, timeout_at};
use wattle_messaging::{Links, Pace, Scope, SettingError, Settings};
use wattle_sdk::{
    Burst, CallError, Context, ErrorKind, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider,
    Reply, Side, StartError,
    handing::{Actor, Handlers, Work},
};

use crate::{
    address::Address,
    broker::RedisBroker,
    kept::Kept,
    plain::Plain,
    server::{Server, Servers},
    settings::{self, Source},
};

/// What separates the parts of a channel's or a stream's name: whichever its users like.
const SEPARATORS: &[char] = &['.', ':', '/'];

/// How long a link's subscription or consumer may take before the link counts as put; it goes on by itself.
const READY_WAIT: Duration = Duration::from_secs(5);

/// `wasmcloud:messaging` over Redis.
pub struct Redis {
    context: Context,
    servers: Servers,
    links: Links<RedisBroker>,
    handlers: Handlers,
}

impl Provider for Redis {
    const CONSTRAINTS: &'static [&'static str] = wattle_messaging::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        let (servers, links) = (Servers::default(), Links::default());
        Ok(Self { context, servers, links, handlers: Handlers::default() })
    }

    /// The link holds although Redis is down: it comes back by itself, and calls say so until then. It does not hold where Redis
    /// answers that this login may not.
    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        let number = link.link;
        let before = self.handlers.take(number);
        let put = match link.side {
            Side::Target => self.put_sender(link).await,
            Side::Source => self.put_handler(link).await,
        };
        if put.is_err() {
            self.links.delete(number); // one that held before under this number does not, either
        }
        if let Some(handler) = before {
            handler.delete().await; // after the new one, so that between them nobody's messages are missed
        }
        put.map(|()| LinkDetail::default()).map_err(LinkError::new)
    }

    async fn delete_link(&self, link: u32) {
        self.links.delete(link);
        if let Some(handler) = self.handlers.take(link) {
            handler.delete().await;
        }
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let redis = Arc::clone(self);
        async move {
            let IncomingCall { link, interface, function, params, deadline, .. } = call;
            let answer = redis.links.dispatch(link, &interface, &function, &params, deadline);
            match timeout_at(deadline.into(), answer).await {
                Ok(result) => Ok(Reply { result: result?.into(), body: None }),
                Err(_) => {
                    Err(CallError::new(ErrorKind::DeadlineExceeded, "redis did not answer in time"))
                }
            }
        }
    }

    async fn drain(&self) {
        self.handlers.drain().await;
    }
}

impl Redis {
    async fn put_sender(&self, link: LinkGrant) -> Result<(), String> {
        let scope = Scope::new(&link.constraints, SEPARATORS).map_err(|error| error.to_string())?;
        let settings = Settings::new(&link.config, &self.context.start.config);
        let into = settings::sending(&settings).map_err(|error| error.to_string())?;
        let server = self.server(&settings).await?;
        if server.is_up() {
            let _ = timeout(READY_WAIT, server.inbox.listening()).await; // else requests fail until it does
        }
        self.links.put(link.link, scope, RedisBroker::new(server, into));
        Ok(())
    }

    async fn put_handler(&self, link: LinkGrant) -> Result<(), String> {
        if let Some(name) = link.constraints.keys().next() {
            return Err(format!(
                "constraint {name:?}: a handler's link has none, its subscriptions say what it gets"
            ));
        }
        let start = &self.context.start;
        let settings = Settings::new(&link.config, &start.config);
        let own = settings::own_name(start.lattice.as_str(), start.id.as_str(), &link);
        let handing = settings::handing(&settings, &own).map_err(|error| error.to_string())?;
        let server = self.server(&settings).await?;
        let wait = server.is_up().then_some(READY_WAIT);
        let Pace { max_in_flight, timeout } = handing.pace;
        let actor = Actor { host: self.context.host.clone(), link: link.link, timeout };
        let work = Arc::new(Work::new(actor, max_in_flight));
        match handing.source {
            Source::Channels(channels) => {
                let dropped = Burst::default();
                let plain = Plain { server, work: Arc::clone(&work), channels, dropped };
                self.handlers.start(work, wait, |end, ready| plain.run(end, ready)).await
            }
            Source::Streams(streams) => {
                let kept = Arc::new(Kept::new(server, Arc::clone(&work), streams));
                self.handlers.start(work, wait, |end, ready| kept.run(end, ready)).await
            }
        }
    }

    /// The server that the settings name, once it is known whether it takes this login.
    async fn server(&self, settings: &Settings<'_>) -> Result<Arc<Server>, String> {
        let address = Address::from_settings(settings);
        let address = address.map_err(|error: SettingError| error.to_string())?;
        let server = self.servers.get(address, &self.context.host);
        match server.refusal().await {
            Some(refusal) => Err(refusal),
            None => Ok(server),
        }
    }
}
