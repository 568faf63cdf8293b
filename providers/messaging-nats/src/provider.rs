//! The provider: links come and go, calls are answered, messages are handed over.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{timeout, timeout_at},
};
use wattle_messaging::{Burst, Links, Scope, SettingError, Settings};
use wattle_sdk::{
    CallError, Context, ErrorKind, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider, Reply,
    Side, StartError,
};

use crate::{
    actor::Actor,
    broker::NatsBroker,
    kept::{Kept, stream_exists},
    login::Login,
    plain::Plain,
    server::{Server, Servers},
    settings::{self, Handing, Source},
    work::{End, Phase, Ready, Work},
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
    handlers: Mutex<BTreeMap<u32, Handler>>,
}

/// A link that hands messages to an actor.
struct Handler {
    phase: watch::Sender<Phase>,
    work: Arc<Work>,
    task: JoinHandle<()>,
}

impl Provider for Nats {
    const CONSTRAINTS: &'static [&'static str] = wattle_messaging::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        let (servers, links) = (Servers::default(), Links::default());
        Ok(Self { context, servers, links, handlers: Mutex::default() })
    }

    /// The link holds although NATS is down: it comes back by itself, and calls say so until then. It does not hold where NATS
    /// answers that this login may not, or that there is no such stream.
    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        let number = link.link;
        let before = self.handlers.lock().remove(&number);
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
        let handler = self.handlers.lock().remove(&link);
        if let Some(handler) = handler {
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
        let handlers = std::mem::take(&mut *self.handlers.lock());
        for handler in handlers.values() {
            handler.phase.send_replace(Phase::Draining);
        }
        for handler in handlers.into_values() {
            let _ = handler.task.await; // a panic was logged, and there is nothing more to end
            handler.work.idle().await;
        }
    }
}

impl Handler {
    /// Takes nothing any more; what is under way ends by itself.
    async fn delete(self) {
        self.phase.send_replace(Phase::Deleted);
        let _ = self.task.await; // a panic was logged, and there is nothing more to end
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
        let (handler, ready) = self.hand_over(link.link, handing, Arc::clone(&server));
        if server.connection().is_ok()
            && let Ok(Ok(Err(reason))) = timeout(READY_WAIT, ready).await
        {
            handler.delete().await;
            return Err(reason);
        }
        self.handlers.lock().insert(link.link, handler);
        Ok(())
    }

    fn hand_over(
        &self,
        link: u32,
        handing: Handing,
        server: Arc<Server>,
    ) -> (Handler, oneshot::Receiver<Result<(), String>>) {
        let host = self.context.host.clone();
        let actor = Actor { host: host.clone(), link, timeout: handing.timeout };
        let work = Arc::new(Work::new(actor, &handing));
        let (phase, end) = watch::channel(Phase::Running);
        let (ready, is_ready) = oneshot::channel();
        let (end, ready) = (End(end), Ready(Some(ready)));
        let lane = usize::try_from(link).unwrap_or_default();
        let task = match handing.source {
            Source::Plain(subscriptions) => {
                let plain = Plain { server, work: Arc::clone(&work), subscriptions };
                host.spawn_on(lane, plain.run(end, ready))
            }
            Source::Kept(stream) => {
                let trouble = Burst::default();
                let kept = Arc::new(Kept { server, work: Arc::clone(&work), stream, trouble });
                host.spawn_on(lane, kept.run(end, ready))
            }
        };
        (Handler { phase, work, task }, is_ready)
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
