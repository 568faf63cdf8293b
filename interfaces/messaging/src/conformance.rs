//! What every provider of the contract must do, run by each against its real broker, through the real encoding.
//!
//! A provider gives links in both directions; the suite plays the actors at their ends and says what is wrong by panicking, as
//! tests do. Each check uses subjects of its own.

mod kept;
mod limits;
mod publishing;
mod requests;
mod scopes;

use std::{future::Future, pin::pin, sync::Arc};

use futures::{
    StreamExt as _,
    channel::mpsc,
    future::{BoxFuture, Either, select},
};
use wattle_core::{Constraints, call::Call};

use crate::{BrokerMessage, Caller, Failure, Kind};

/// Messages that a check may receive before it looks at them.
const RECEIVED_MAX: usize = 1_024;

/// What an actor does with a message.
pub type Actor =
    Arc<dyn Fn(BrokerMessage<'static>) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// A provider and its broker, as the suite uses them.
pub trait Stage {
    /// What carries the calls of the actors that send.
    type Call: Call + Send + Sync + 'static;

    /// Whether the broker tells that nobody listens who could answer; else a request to nobody times out.
    const KNOWS_RESPONDERS: bool = true;

    /// A subject of these parts.
    fn subject(&self, parts: &[&str]) -> String;

    /// The most bytes of a body that the broker takes; at most the contract's limit.
    fn body_len_max(&self) -> usize;

    /// A new link, with these constraints, for an actor that sends.
    fn caller(&self, constraints: Constraints) -> impl Future<Output = Caller<Self::Call>>;

    /// A new link that hands `actor` the messages of this subject, one after the other. It listens when this returns.
    fn listen(&self, subject: &str, actor: Actor) -> impl Future<Output = ()>;

    /// The same, but messages are kept until the actor has handled them, and a link for an actor whose messages are. Nothing if
    /// the broker keeps none.
    fn listen_kept(
        &self,
        subject: &str,
        actor: Actor,
    ) -> impl Future<Output = Option<Caller<Self::Call>>>;

    /// Comes back when a step has taken so long that it will not end any more.
    fn too_long(&self) -> impl Future<Output = ()>;
}

/// Runs the whole suite.
pub async fn run(stage: &impl Stage) {
    publishing::run(stage).await;
    requests::run(stage).await;
    limits::run(stage).await;
    scopes::run(stage).await;
    kept::run(stage).await;
}

/// The messages that an actor got.
struct Received(mpsc::Receiver<BrokerMessage<'static>>);

impl Received {
    /// An actor that keeps what it gets, and answers what `answer` says.
    fn by(
        answer: impl Fn(&BrokerMessage<'static>) -> Result<(), String> + Send + Sync + 'static,
    ) -> (Actor, Self) {
        let (sender, receiver) = mpsc::channel(RECEIVED_MAX);
        let actor: Actor = Arc::new(move |message| {
            let mut sender = sender.clone();
            let answer = answer(&message);
            Box::pin(async move {
                let _ = sender.try_send(message); // the check may have seen enough
                answer
            })
        });
        (actor, Self(receiver))
    }

    /// What came next.
    async fn next(&mut self, stage: &impl Stage) -> BrokerMessage<'static> {
        within(stage, "a message", self.0.next()).await.expect("the link holds the actor")
    }
}

/// What a step gives that has to end.
async fn within<T>(stage: &impl Stage, what: &str, step: impl Future<Output = T>) -> T {
    match select(pin!(step), pin!(stage.too_long())).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("{what} did not come"),
    }
}

/// What a check expects of a broker that works.
async fn ok<T>(
    stage: &impl Stage,
    what: &str,
    step: impl Future<Output = Result<T, Failure>>,
) -> T {
    match within(stage, what, step).await {
        Ok(value) => value,
        Err(failure) => panic!("{what}: {failure}"),
    }
}

/// What a check expects where something must fail.
async fn fails<T>(
    stage: &impl Stage,
    what: &str,
    kind: Kind,
    step: impl Future<Output = Result<T, Failure>>,
) {
    match within(stage, what, step).await {
        Ok(_) => panic!("{what} was taken"),
        Err(failure) => assert_eq!(failure.kind, kind, "{what}: {failure}"),
    }
}
