//! The contract in its simplest form: whoever listens is called at once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use wattle_core::{CallError, Constraints, Operation, call::Call, codec};
use wattle_messaging::{
    Broker, BrokerMessage, Caller, Delivery, Failure, Kind, Links, Outgoing, Scope,
    conformance::{Actor, Stage},
    deliver,
    limit::BODY_LEN_MAX,
    operation,
    wire::{HandleMessage, Outcome},
};

const DEADLINE: Duration = Duration::from_secs(10);

/// Who listens to what; an answer is kept where a request listens to its own inbox.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    actors: Arc<Mutex<BTreeMap<String, (Actor, bool)>>>,
    answers: Arc<Mutex<BTreeMap<String, BrokerMessage<'static>>>>,
    inboxes: Arc<AtomicU32>,
}

impl Memory {
    fn listen(&self, subject: &str, actor: Actor, kept: bool) {
        self.actors.lock().expect("no panic").insert(subject.to_owned(), (actor, kept));
    }

    /// Whether anybody listened.
    async fn send(&self, subject: &str, body: &Bytes, reply_to: Option<&str>) -> bool {
        let message = BrokerMessage {
            subject: subject.into(),
            body: body[..].into(),
            reply_to: reply_to.map(str::to_owned),
        };
        if let Some(answer) = self.answers.lock().expect("no panic").get_mut(subject) {
            *answer = message.into_owned();
            return true;
        }
        let actor = self.actors.lock().expect("no panic").get(subject).cloned();
        let Some((actor, kept)) = actor else { return false };
        while deliver(&Handler(actor.clone()), message.clone()).await != Delivery::Handled && kept {
        }
        true
    }
}

impl Broker for Memory {
    async fn publish(&self, message: Outgoing<'_>, _deadline: Instant) -> Result<(), Failure> {
        self.send(message.subject, &message.body, message.reply_to).await;
        Ok(())
    }

    async fn request(
        &self,
        message: Outgoing<'_>,
        _wait: Duration,
    ) -> Result<BrokerMessage<'static>, Failure> {
        let inbox = format!("inbox.{}", self.inboxes.fetch_add(1, Ordering::Relaxed));
        let nothing = BrokerMessage { subject: "".into(), body: b""[..].into(), reply_to: None };
        self.answers.lock().expect("no panic").insert(inbox.clone(), nothing);
        let heard = self.send(message.subject, &message.body, Some(&inbox)).await;
        let answer = self.answers.lock().expect("no panic").remove(&inbox).expect("it was put");
        match (heard, answer.subject.is_empty()) {
            (false, _) => Err(Failure::new(Kind::NoResponders, message.subject)),
            (true, true) => Err(Failure::new(Kind::Timeout, message.subject)),
            (true, false) => Ok(answer),
        }
    }
}

/// An actor at the end of a link.
struct Handler(Actor);

impl Call for Handler {
    async fn call(&self, called: Operation, params: Vec<u8>) -> Result<Bytes, CallError> {
        assert_eq!(called, operation::HANDLE_MESSAGE);
        let HandleMessage { msg } = codec::decode(&params, params.len()).expect("a message");
        let outcome: Outcome<()> = (self.0)(msg.into_owned()).await;
        Ok(codec::encode(&outcome).into())
    }
}

/// A link for an actor that sends.
pub(crate) struct Link {
    links: Arc<Links<Memory>>,
    number: u32,
}

impl Call for Link {
    async fn call(&self, called: Operation, params: Vec<u8>) -> Result<Bytes, CallError> {
        let Operation { interface, function } = called;
        let (params, deadline) = (params.into(), Instant::now() + DEADLINE);
        let call = self.links.dispatch(self.number, interface, function, &params, deadline);
        call.await.map(Into::into)
    }
}

/// A provider without a process.
#[derive(Default)]
pub(crate) struct InProcess {
    memory: Memory,
    links: Arc<Links<Memory>>,
    next: AtomicU32,
}

impl Stage for InProcess {
    type Call = Link;

    fn subject(&self, parts: &[&str]) -> String {
        parts.join(".")
    }

    fn body_len_max(&self) -> usize {
        BODY_LEN_MAX
    }

    async fn caller(&self, constraints: Constraints) -> Caller<Link> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let scope = Scope::new(&constraints, &['.']).expect("known constraints");
        self.links.put(number, scope, self.memory.clone());
        Caller::new(Link { links: Arc::clone(&self.links), number })
    }

    async fn listen(&self, subject: &str, actor: Actor) {
        self.memory.listen(subject, actor, false);
    }

    async fn listen_kept(&self, subject: &str, actor: Actor) -> Option<Caller<Link>> {
        self.memory.listen(subject, actor, true);
        Some(self.caller(Constraints::new()).await)
    }

    async fn too_long(&self) {
        std::future::pending().await
    }
}
