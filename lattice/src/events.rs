//! Events and beats: said once to whoever listens, and forgotten.

use std::{future::ready, time::Duration};

use async_nats::{Message, Subscriber};
use futures::{Stream, StreamExt};
use wattle_core::{HostKey, LatticeName, Subject, event::CloudEvent};

use crate::{Lattice, traffic::Counter};

/// The most bytes of an event's JSON.
const EVENT_LEN_MAX: usize = 64 * 1024;
/// The most bytes of a beat's token, with the tokens of its host and its account.
const BEAT_LEN_MAX: usize = 32 * 1024;

/// How long the server may take to know of a subscription. If it takes longer, only what is said meanwhile is missed.
const FLUSH_WAIT: Duration = Duration::from_secs(2);

/// Why there is no subscription.
#[derive(Debug, thiserror::Error)]
#[error("no subscription: {0}")]
pub struct SubscribeError(String);

impl Lattice {
    /// Publishes an event. Never waits: without a connection, or with a full queue, it is dropped and counted.
    pub fn publish_event(&self, event: &CloudEvent) {
        let lattice = self.name().clone();
        let subject = Subject::Event { lattice, kind: event.data.kind() };
        match serde_json::to_vec(event) {
            Ok(text) if text.len() <= EVENT_LEN_MAX => self.tell(&subject, text),
            _ => self.counters().dropped.count(),
        }
    }

    /// All hosts' events from now on, which nobody signed. What is malformed is counted and skipped.
    pub async fn events(
        &self,
    ) -> Result<impl Stream<Item = CloudEvent> + Send + Unpin + use<>, SubscribeError> {
        let messages = self.listen(Subject::all_events(self.name())).await?;
        let lattice = self.clone();
        Ok(messages.filter_map(move |message| {
            ready(counted(&lattice.counters().refused, event_of(lattice.name(), &message)))
        }))
    }

    /// Publishes a host's beat. Never waits, as with events.
    pub fn publish_beat(&self, host: &HostKey, token: &str) {
        let subject = Subject::Beat { lattice: self.name().clone(), host: host.clone() };
        if token.len() <= BEAT_LEN_MAX {
            self.tell(&subject, token.as_bytes().to_vec());
        } else {
            self.counters().dropped.count();
        }
    }

    /// All hosts' beats from now on: the host whose subject it came on, and the beat's token, not verified.
    pub async fn beats(
        &self,
    ) -> Result<impl Stream<Item = (HostKey, String)> + Send + Unpin + use<>, SubscribeError> {
        let messages = self.listen(Subject::all_beats(self.name())).await?;
        let lattice = self.clone();
        Ok(messages.filter_map(move |message| {
            ready(counted(&lattice.counters().refused, beat_of(lattice.name(), &message)))
        }))
    }

    /// One host's beats from now on: their tokens, not verified.
    pub async fn beats_of(
        &self,
        host: &HostKey,
    ) -> Result<impl Stream<Item = String> + Send + Unpin + use<>, SubscribeError> {
        let subject = Subject::Beat { lattice: self.name().clone(), host: host.clone() };
        let messages = self.listen(subject.to_string()).await?;
        let lattice = self.clone();
        Ok(messages.filter_map(move |message| {
            let beat = beat_of(lattice.name(), &message).map(|(_, token)| token);
            ready(counted(&lattice.counters().refused, beat))
        }))
    }

    fn tell(&self, subject: &Subject, payload: Vec<u8>) {
        if !self.try_publish(subject.to_string(), None, payload.into()) {
            self.counters().dropped.count();
        }
    }

    /// Returns when the server knows of the subscription, if there is a connection: what is said afterwards is heard.
    pub(crate) async fn listen(&self, subject: String) -> Result<Subscriber, SubscribeError> {
        let subscribed = self.client().subscribe(subject).await;
        let messages = subscribed.map_err(|error| SubscribeError(error.to_string()))?;
        self.flush(FLUSH_WAIT).await;
        Ok(messages)
    }
}

fn counted<T>(refused: &Counter, item: Option<T>) -> Option<T> {
    if item.is_none() {
        refused.count();
    }
    item
}

fn event_of(lattice: &LatticeName, message: &Message) -> Option<CloudEvent> {
    let Ok(Subject::Event { lattice: its, kind }) = message.subject.as_str().parse() else {
        return None;
    };
    if its != *lattice || message.payload.len() > EVENT_LEN_MAX {
        return None;
    }
    let event: CloudEvent = serde_json::from_slice(&message.payload).ok()?;
    (event.specversion == "1.0" && event.data.kind() == kind).then_some(event)
}

fn beat_of(lattice: &LatticeName, message: &Message) -> Option<(HostKey, String)> {
    let Ok(Subject::Beat { lattice: its, host }) = message.subject.as_str().parse() else {
        return None;
    };
    if its != *lattice || message.payload.is_empty() || message.payload.len() > BEAT_LEN_MAX {
        return None;
    }
    let token = std::str::from_utf8(&message.payload).ok()?;
    Some((host, token.to_owned()))
}
