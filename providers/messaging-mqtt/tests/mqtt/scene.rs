//! What the tests have in common: a server, a provider, settings, and actors that keep what they get.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use wattle_core::{CallError, Constraints, link::Settings};
use wattle_messaging::{
    BrokerMessage, Caller, conformance, conformance::Stage, limit::BODY_LEN_MAX, wire::Outcome,
};

use crate::{
    host::{Actor, Host, Link, actor, of_the_suite},
    server::Server,
};

/// How long anything may take that has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A broker, and a provider that is used with it.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) host: Host,
}

/// The actor at the other end of a link: each has one of its own, as it has a session of its own.
pub(crate) fn peer(link: u32) -> String {
    format!("shop/orders-{link}")
}

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A provider that finds this broker by its own settings.
pub(crate) async fn host(server: &Server) -> Host {
    let config = pairs(&[("url", &server.url())]);
    Host::start(env!("CARGO_BIN_EXE_wattle-messaging-mqtt"), config).await
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let server = Server::start().await;
        let host = host(&server).await;
        Self { server, host }
    }

    /// An actor that sends, with these settings of its link.
    pub(crate) async fn sender(&self, config: &[(&str, &str)]) -> Caller<Link> {
        self.host.sender(Constraints::new(), pairs(config)).await.expect("a link")
    }

    /// A link that hands messages to an actor.
    pub(crate) async fn handler(&self, config: &[(&str, &str)], actor: Actor) -> u32 {
        self.host.handler(pairs(config), actor).await.expect("a link")
    }
}

/// What actors got, in its order.
pub(crate) struct Received(mpsc::Receiver<BrokerMessage<'static>>);

impl Received {
    /// An actor that keeps what it gets and answers what `answer` says.
    pub(crate) fn by(
        answer: impl Fn(&BrokerMessage<'static>) -> Result<Outcome<()>, CallError>
        + Send
        + Sync
        + 'static,
    ) -> (Actor, Self) {
        let (sender, receiver) = mpsc::channel(100_000);
        let answer = Arc::new(answer);
        let actor = actor(move |message| {
            let answered = answer(&message);
            let _ = sender.try_send(message); // the test may have seen enough
            std::future::ready(answered)
        });
        (actor, Self(receiver))
    }

    /// An actor that is content with everything.
    pub(crate) fn all() -> (Actor, Self) {
        Self::by(|_| Ok(Ok(())))
    }

    pub(crate) async fn next(&mut self) -> BrokerMessage<'static> {
        let next = timeout(PATIENCE, self.0.recv()).await.expect("a message comes");
        next.expect("the link holds the actor")
    }

    /// The body of what came next, as text.
    pub(crate) async fn text(&mut self) -> String {
        String::from_utf8(self.next().await.body.into_owned()).expect("text")
    }

    /// What has come by now.
    pub(crate) fn now(&mut self) -> Option<BrokerMessage<'static>> {
        self.0.try_recv().ok()
    }
}

impl Stage for Scene {
    type Call = Link;

    fn subject(&self, parts: &[&str]) -> String {
        parts.join("/")
    }

    fn body_len_max(&self) -> usize {
        BODY_LEN_MAX
    }

    async fn caller(&self, constraints: Constraints) -> Caller<Link> {
        self.host.sender(constraints, pairs(&[])).await.expect("a link")
    }

    async fn listen(&self, subject: &str, actor: conformance::Actor) {
        let config = [("subscriptions", subject), ("max_in_flight", "1")];
        self.handler(&config, of_the_suite(actor)).await;
    }

    async fn listen_kept(&self, subject: &str, actor: conformance::Actor) -> Option<Caller<Link>> {
        let config = [("subscriptions", subject), ("backoff_ms", "10"), ("max_in_flight", "1")];
        self.handler(&config, of_the_suite(actor)).await;
        Some(self.sender(&[]).await)
    }

    async fn too_long(&self) {
        sleep(PATIENCE).await;
    }
}
