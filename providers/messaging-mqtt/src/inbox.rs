//! Where answers to requests come in: one subscription, which all requests of a link share. It is made with the first request, as
//! some brokers cut off a client that subscribes to what it may not.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::Mutex;
use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{Filter, Packet, Publish, Subscribe, SubscribeReasonCode},
};
use tokio::sync::{oneshot, watch};
use wattle_messaging::{BrokerMessage, Failure, Kind};

use crate::{connection::Writer, reason::of_subscription, topic};

/// The number of the subscription: above those of messages.
const NUMBER: u16 = 60_001;

/// Requests that wait for their answers, while there is a subscription that would bring them.
pub(crate) struct Inbox {
    /// With a slash at its end.
    prefix: String,
    next: AtomicU64,
    wanted: AtomicBool,
    waiting: Mutex<HashMap<String, oneshot::Sender<BrokerMessage<'static>>>>,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy)]
enum State {
    NotAsked,
    Asked,
    Listening,
    Refused(&'static str),
}

/// A request's place in the inbox; forgotten with it.
pub(crate) struct Waiting<'a> {
    inbox: &'a Inbox,
    pub(crate) topic: String,
    pub(crate) correlation: u64,
    answer: oneshot::Receiver<BrokerMessage<'static>>,
}

impl Waiting<'_> {
    /// The answer, once it is there.
    pub(crate) async fn answer(&mut self) -> BrokerMessage<'static> {
        match (&mut self.answer).await {
            Ok(answer) => answer,
            Err(_) => std::future::pending().await, // it is asked only once
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.inbox.waiting.lock().remove(&self.topic);
    }
}

impl Inbox {
    /// Answers come to topics of its own below this one.
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: format!("{prefix}/{:016x}/", rand::random::<u64>()),
            next: AtomicU64::new(0),
            wanted: AtomicBool::new(false),
            waiting: Mutex::default(),
            state: watch::Sender::new(State::NotAsked),
        }
    }

    /// A place for an answer, once answers can come over this connection.
    pub(crate) async fn wait(&self, writer: &Writer) -> Result<Waiting<'_>, Failure> {
        self.wanted.store(true, Ordering::SeqCst);
        self.ask(writer);
        let mut state = self.state.subscribe();
        let known = state.wait_for(|state| matches!(state, State::Listening | State::Refused(_)));
        if let Ok(State::Refused(reason)) = known.await.as_deref() {
            let text = format!("answers cannot come in at {}+: {reason}", self.prefix);
            return Err(Failure::new(Kind::Denied, text));
        }
        let correlation = self.next.fetch_add(1, Ordering::Relaxed);
        let topic = format!("{}{correlation}", self.prefix);
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().insert(topic.clone(), sender);
        Ok(Waiting { inbox: self, topic, correlation, answer })
    }

    /// There is a new connection.
    pub(crate) fn connected(&self, writer: &Writer) {
        self.state.send_replace(State::NotAsked);
        if self.wanted.load(Ordering::SeqCst) {
            self.ask(writer);
        }
    }

    fn ask(&self, writer: &Writer) {
        let first = self.state.send_if_modified(|state| {
            let first = matches!(state, State::NotAsked);
            if first {
                *state = State::Asked;
            }
            first
        });
        if first {
            let filter = Filter::new(format!("{}+", self.prefix), QoS::AtLeastOnce);
            let subscribe = Subscribe { pkid: NUMBER, filters: vec![filter], properties: None };
            writer.say(Packet::Subscribe(subscribe));
        }
    }

    /// The broker has answered the subscription.
    pub(crate) fn subscribed(&self, codes: &[SubscribeReasonCode]) {
        let refusal = codes.first().and_then(|code| of_subscription(*code));
        self.state.send_replace(refusal.map_or(State::Listening, State::Refused));
    }

    /// A message has come in.
    pub(crate) fn answered(&self, message: &Publish) {
        let Ok(topic) = str::from_utf8(&message.topic) else { return };
        let Some(waiting) = self.waiting.lock().remove(topic) else { return };
        let said = message.properties.as_ref();
        let reply_to = said.and_then(|said| {
            Some(topic::reply_to(said.response_topic.as_ref()?, said.correlation_data.as_deref()))
        });
        let answer = BrokerMessage {
            subject: topic.to_owned().into(),
            body: message.payload.to_vec().into(),
            reply_to,
        };
        let _ = waiting.send(answer); // whoever asked may have given up
    }
}
