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
    broker::MqttBroker, login::Login, server::Server, session::Session, settings, told::Told,
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
    sessions: Mutex<BTreeMap<u32, (Login, Session)>>,
}

impl Provider for Mqtt {
    const CONSTRAINTS: &'static [&'static str] = wattle_messaging::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        Ok(Self {
            dir: context.start.config.get(DATA_DIR).map(PathBuf::from),
            context,
            links: Links::default(),
            handlers: Handlers::default(),
            sessions: Mutex::default(),
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
        let server = self.server(link.link, &settings).await?;
        let stays = |(login, _): &(Login, Session)| login.is_to_broker_of(&server.login);
        if self.dir.is_none() || !self.sessions.lock().get(&link.link).is_none_or(stays) {
            self.end_session(link.link).await; // the next one has another name, wherever it is
        }
        let session = Session::open(self.dir.as_deref(), &own).await;
        let is_new = session.subscribed.is_empty();
        self.sessions.lock().insert(link.link, (server.login.clone(), session.clone()));
        let wait = server.up().is_ok().then_some(READY_WAIT);
        let Pace { max_in_flight, timeout } = handing.pace;
        let actor = Actor { host: self.context.host.clone(), link: link.link, timeout };
        let (number, work) = (link.link, Arc::new(Work::new(actor, max_in_flight)));
        let told = Arc::new(Told::new(server, Arc::clone(&work), handing));
        let put = self.handlers.start(work, wait, |end, ready| told.run(session, end, ready)).await;
        if put.is_err() && is_new {
            self.end_session(number).await; // the broker may have taken some of its filters
        }
        put
    }

    /// The broker keeps nothing for a link any more; a next session of it has another name.
    async fn end_session(&self, link: u32) {
        let session = self.sessions.lock().remove(&link);
        if let Some((login, session)) = session {
            session.forget().await;
            self.context.host.spawn_on(0, session.leave(login));
        }
    }

    /// A connection to the broker that the settings name, once it is known whether it takes this login.
    async fn server(&self, link: u32, settings: &Settings<'_>) -> Result<Arc<Server>, String> {
        let login = Login::from_settings(settings).await.map_err(|error| error.to_string())?;
        let inbox = settings::inbox(settings).map_err(|error| error.to_string())?;
        let lane = usize::try_from(link).unwrap_or_default();
        let server = Arc::new(Server::start(login, &inbox, &self.context.host, lane));
        match server.refusal().await {
            Some(refusal) => Err(refusal),
            None => Ok(server),
        }
    }
}
