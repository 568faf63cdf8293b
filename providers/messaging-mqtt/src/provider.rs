//! The provider: links come and go, calls are answered, messages are handed over.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::timeout_at;
use wattle_messaging::{Links, Pace, Scope, Settings};
use wattle_sdk::{
    CallError, Context, ErrorKind, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider, Reply,
    Side, StartError,
    handing::{Actor, Handlers, Work},
};

use crate::{
    broker::MqttBroker,
    leaving::Leaving,
    login::Login,
    server::Server,
    session::Session,
    settings,
    told::{Incoming, Told},
};

/// What separates the levels of a topic.
const SEPARATORS: &[char] = &['/'];

/// How long a link's subscriptions may take before the link counts as put; it goes on by itself.
const READY_WAIT: Duration = Duration::from_secs(5);

/// The folder that the host keeps for this provider; it says so by itself.
const DATA_DIR: &str = "data-dir";

/// `wasmcloud:messaging` over MQTT 5.
pub struct Mqtt {
    context: Context,
    /// Where sessions are written down.
    dir: Option<PathBuf>,
    links: Links<MqttBroker>,
    handlers: Handlers,
    /// What brokers keep for links that hand messages over.
    sessions: Mutex<BTreeMap<u32, Kept>>,
    leaving: Leaving,
}

/// A link's session, and what the link has of it in hand: both outlive a change of the link.
#[derive(Clone)]
struct Kept {
    login: Login,
    session: Session,
    incoming: Arc<Incoming>,
    pace: Pace,
    work: Arc<Work>,
}

impl Provider for Mqtt {
    const CONSTRAINTS: &'static [&'static str] = wattle_messaging::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        let config = &context.start.config;
        let dir = config.get(DATA_DIR).map(PathBuf::from);
        let leaving = Leaving::new(dir.clone(), context.host.clone());
        // Where only links name brokers, theirs come with them.
        if let Ok(login) = Login::from_settings(&Settings::new(&BTreeMap::new(), config)).await {
            leaving.finish(&login).await;
        }
        Ok(Self {
            dir,
            context,
            links: Links::default(),
            handlers: Handlers::default(),
            sessions: Mutex::default(),
            leaving,
        })
    }

    /// The link holds although the broker is down: it comes back by itself, and calls say so until then. It does not hold where the
    /// broker answers that this login may not.
    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        let number = link.link;
        // Before the new one, which has the same name at the broker; that keeps what comes between them.
        if let Some(before) = self.handlers.take(number) {
            before.delete().await;
        }
        let put = match link.side {
            Side::Target => self.put_sender(link).await,
            Side::Source => self.put_handler(link).await,
        };
        if put.is_err() {
            self.links.delete(number); // one that held before under this number does not, either
        }
        put.map(|()| LinkDetail::default()).map_err(LinkError::new)
    }

    async fn delete_link(&self, link: u32) {
        self.links.delete(link);
        if let Some(handler) = self.handlers.take(link) {
            handler.delete().await;
        }
        self.end_session(link).await;
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let mqtt = Arc::clone(self);
        async move {
            let IncomingCall { link, interface, function, params, deadline, .. } = call;
            let answer = mqtt.links.dispatch(link, &interface, &function, &params, deadline);
            match timeout_at(deadline.into(), answer).await {
                Ok(result) => Ok(Reply { result: result?.into(), body: None }),
                Err(_) => {
                    let text = "the MQTT broker did not answer in time";
                    Err(CallError::new(ErrorKind::DeadlineExceeded, text))
                }
            }
        }
    }

    async fn drain(&self) {
        self.handlers.drain().await;
    }
}

impl Mqtt {
    async fn put_sender(&self, link: LinkGrant) -> Result<(), String> {
        let scope = Scope::new(&link.constraints, SEPARATORS).map_err(|error| error.to_string())?;
        let settings = Settings::new(&link.config, &self.context.start.config);
        let sending = settings::sending(&settings).map_err(|error| error.to_string())?;
        let server = self.server(link.link, &settings).await?;
        self.links.put(link.link, scope, MqttBroker::new(server, sending));
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
        let (number, pace) = (link.link, handing.pace);
        let server = self.server(number, &settings).await?;
        let stays = |kept: &&Kept| self.dir.is_some() && kept.login.is_to_broker_of(&server.login);
        let before = self.sessions.lock().get(&number).filter(stays).cloned();
        if before.is_none() {
            self.end_session(number).await; // the next one has another name, wherever it is
        }
        let session = Session::open(self.dir.as_deref(), &own).await;
        let is_new = session.subscribed.is_empty();
        let (incoming, work) = match before {
            // What the actor was given before the change takes its places still.
            Some(before) if before.pace == pace => (before.incoming, before.work),
            Some(before) => (before.incoming, self.work(number, pace)),
            None => (Arc::default(), self.work(number, pace)),
        };
        let kept = Kept {
            login: server.login.clone(),
            session: session.clone(),
            incoming: Arc::clone(&incoming),
            pace,
            work: Arc::clone(&work),
        };
        self.sessions.lock().insert(number, kept);
        let wait = server.up().is_ok().then_some(READY_WAIT);
        let told = Arc::new(Told::new(server, Arc::clone(&work), handing, incoming));
        let put = self.handlers.start(work, wait, |end, ready| told.run(session, end, ready)).await;
        if put.is_err() && is_new {
            self.end_session(number).await; // the broker may have taken some of its filters
        }
        put
    }

    /// What a link's actor is given, and how fast.
    fn work(&self, link: u32, pace: Pace) -> Arc<Work> {
        let Pace { max_in_flight, timeout } = pace;
        let actor = Actor { host: self.context.host.clone(), link, timeout };
        Arc::new(Work::new(actor, max_in_flight))
    }

    /// The broker is to keep nothing for a link any more; a next session of it has another name.
    async fn end_session(&self, link: u32) {
        let kept = self.sessions.lock().remove(&link);
        if let Some(Kept { login, session, .. }) = kept {
            self.leaving.begin(&session.client, &login).await;
            session.forget().await;
        }
    }

    /// A connection to the broker that the settings name, once it is known whether it takes this login.
    async fn server(&self, link: u32, settings: &Settings<'_>) -> Result<Arc<Server>, String> {
        let login = Login::from_settings(settings).await.map_err(|error| error.to_string())?;
        let inbox = settings::inbox(settings).map_err(|error| error.to_string())?;
        let lane = usize::try_from(link).unwrap_or_default();
        let server = Arc::new(Server::start(login, &inbox, &self.context.host, lane));
        if let Some(refusal) = server.refusal().await {
            return Err(refusal);
        }
        self.leaving.finish(&server.login).await;
        Ok(server)
    }
}
