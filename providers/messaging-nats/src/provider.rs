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
    broker::NatsBroker,
    kept::{Kept, stream_exists},
    login::Login,
    plain::Plain,
    server::{Server, Servers},
    settings::{self, Source},
};

/// What separates the parts of a subject.
const SEPARATORS: &[char] = &['.'];

/// How long a link's subscription or consumer may take before the link counts as put; it goes on by itself.
const READY_WAIT: Duration = Duration::from_secs(5);

/// `wasmcloud:messaging` over NATS.
pub struct Nats {
    context: Context,
    servers: Servers,
    links: Links<NatsBroker>,
    handlers: Handlers,
}

impl Provider for Nats {
    const CONSTRAINTS: &'static [&'static str] = wattle_messaging::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        let (servers, links) = (Servers::default(), Links::default());
        Ok(Self { context, servers, links, handlers: Handlers::default() })
    }

    /// The link holds although NATS is down: it comes back by itself, and calls say so until then. It does not hold where NATS
    /// answers that this login may not, or that there is no such stream.
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
        let nats = Arc::clone(self);
        async move {
            let IncomingCall { link, interface, function, params, deadline, .. } = call;
            let answer = nats.links.dispatch(link, &interface, &function, &params, deadline);
            match timeout_at(deadline.into(), answer).await {
                Ok(result) => Ok(Reply { result: result?.into(), body: None }),
                Err(_) => {
                    Err(CallError::new(ErrorKind::DeadlineExceeded, "nats did not answer in time"))
                }
            }
        }
    }

    async fn drain(&self) {
        self.handlers.drain().await;
    }
}

impl Nats {
    async fn put_sender(&self, link: LinkGrant) -> Result<(), String> {
        let scope = Scope::new(&link.constraints, SEPARATORS).map_err(|error| error.to_string())?;
        let settings = Settings::new(&link.config, &self.context.start.config);
        let stream = settings::sending(&settings).map_err(|error| error.to_string())?;
        let server = self.server(&settings).await?;
        if let (Some(stream), Ok(connection)) = (&stream, server.connection()) {
            let found = timeout(READY_WAIT, stream_exists(&connection, stream)).await;
            found.unwrap_or(Ok(())).map_err(|reason| server.says(&reason))?;
        }
        self.links.put(link.link, scope, NatsBroker::new(server, stream));
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
        let wait = server.connection().is_ok().then_some(READY_WAIT);
        let Pace { max_in_flight, timeout } = handing.pace;
        let actor = Actor { host: self.context.host.clone(), link: link.link, timeout };
        let work = Arc::new(Work::new(actor, max_in_flight));
        match handing.source {
            Source::Plain(subscriptions) => {
                let dropped = Burst::default();
                let plain = Plain { server, work: Arc::clone(&work), subscriptions, dropped };
                self.handlers.start(work, wait, |end, ready| plain.run(end, ready)).await
            }
            Source::Kept(stream) => {
                let trouble = Burst::default();
                let kept = Arc::new(Kept { server, work: Arc::clone(&work), stream, trouble });
                self.handlers.start(work, wait, |end, ready| kept.run(end, ready)).await
            }
        }
    }

    /// The server that the settings name, once it is known whether it takes this login.
    async fn server(&self, settings: &Settings<'_>) -> Result<Arc<Server>, String> {
        let start = &self.context.start;
        let inbox = format!("_INBOX.{}.{}", start.lattice.as_str(), start.id.as_str());
        let login = Login::from_settings(settings, &inbox.replace('/', "-")).await;
        let login = login.map_err(|error: SettingError| error.to_string())?;
        let server = self.servers.get(login, &self.context.host);
        match server.refusal().await {
            Some(refusal) => Err(refusal),
            None => Ok(server),
        }
    }
}
