//! A messaging provider's process, links to it, and actors at their ends. The other brokers' providers test themselves with this
//! file, too.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use wattle_core::{CallError, Constraints, codec, link::Settings};
use wattle_messaging::{
    BrokerMessage, CONSUMER, Caller, HANDLER, conformance, operation,
    wire::{HandleMessage, Outcome},
};
pub(crate) use wattle_sdk::test_host::Link;
use wattle_sdk::{
    IncomingCall, LinkGrant, Reply, Side,
    test_host::{self, Launch, TestHost},
};

use crate::scene::peer;

/// How long each call may take where the test says nothing else.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// What an actor answers: the WIT's result, or how its call failed.
pub(crate) type Answer = Result<Outcome<()>, CallError>;

/// An actor at the end of a link.
pub(crate) type Actor = Arc<
    dyn Fn(BrokerMessage<'static>) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync,
>;

/// An actor from an async function.
pub(crate) fn actor<F>(run: impl Fn(BrokerMessage<'static>) -> F + Send + Sync + 'static) -> Actor
where
    F: Future<Output = Answer> + Send + 'static,
{
    Arc::new(move |message| Box::pin(run(message)))
}

/// An actor of the suite's.
pub(crate) fn of_the_suite(actor: conformance::Actor) -> Actor {
    Arc::new(move |message| {
        let answer = actor(message);
        Box::pin(async move { Ok(answer.await) })
    })
}

/// Hands an actor the message of one call.
async fn hand_over(actor: Actor, call: IncomingCall) -> Result<Reply, CallError> {
    let called = (&*call.interface, &*call.function);
    assert_eq!(called, (HANDLER, operation::HANDLE_MESSAGE.function));
    let HandleMessage { msg } = codec::decode(&call.params, call.params.len()).expect("a message");
    let outcome = actor(msg.into_owned()).await?;
    Ok(Reply::new(codec::encode(&outcome)))
}

/// A running provider. It dies with this.
pub(crate) struct Host(TestHost);

impl Host {
    /// Starts `binary` with these settings of its own, and waits until it is ready.
    pub(crate) async fn start(binary: &str, config: Settings) -> Self {
        let launch =
            config.iter().fold(Launch::new(binary).log("error"), |launch, (name, value)| {
                launch.set(name, value)
            });
        Self(TestHost::start(launch).await)
    }

    /// A link for an actor that sends.
    pub(crate) async fn sender(
        &self,
        constraints: Constraints,
        config: Settings,
    ) -> Result<Caller<Link>, String> {
        let link = self.next();
        self.put(link, Side::Target, constraints, config).await?;
        Ok(self.caller(link, DEADLINE))
    }

    /// Calls over a link with another deadline.
    pub(crate) fn caller(&self, number: u32, deadline: Duration) -> Caller<Link> {
        Caller::new(self.0.link(number).with_deadline(deadline))
    }

    /// A link that hands messages to an actor; its number.
    pub(crate) async fn handler(&self, config: Settings, actor: Actor) -> Result<u32, String> {
        let link = self.next();
        self.0.play(link, test_host::actor(move |call| hand_over(Arc::clone(&actor), call)));
        self.put(link, Side::Source, Constraints::new(), config).await?;
        Ok(link)
    }

    pub(crate) fn next(&self) -> u32 {
        self.0.next_link()
    }

    pub(crate) async fn put(
        &self,
        number: u32,
        side: Side,
        constraints: Constraints,
        config: Settings,
    ) -> Result<(), String> {
        let interface = if side == Side::Target { CONSUMER } else { HANDLER };
        let mut grant = test_host::grant(number, side, &[interface]);
        grant.peer.id = peer(number).parse().expect("an id");
        self.0.put(LinkGrant { constraints, config, ..grant }).await.map(drop)
    }

    pub(crate) async fn delete(&self, link: u32) {
        self.0.delete(link).await;
    }

    /// Has it end what is under way, and waits until it has.
    pub(crate) async fn drain(&self) {
        self.0.drain().await;
    }

    pub(crate) async fn kill(&mut self) {
        self.0.kill().await;
    }

    /// Files and sockets that it has open.
    pub(crate) fn open_files(&self) -> usize {
        self.0.open_files()
    }

    /// The most memory that it has had, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.0.peak_memory()
    }
}
