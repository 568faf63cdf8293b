//! One message, from when it is given to the actor until its broker may forget it.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rumqttc::v5::mqttbytes::{
    QoS,
    v5::{Publish, PublishProperties},
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{sleep, timeout},
};
use tracing::warn;
use wattle_messaging::{BrokerMessage, Failure, Kind, Verdict, deliver, deliver_until};
use wattle_sdk::handing::End;

use super::{Told, incoming::Ticket};
use crate::{reason::Taken, topic};

/// How long the broker may take to acknowledge a dead message.
const PUT_ASIDE_WAIT: Duration = Duration::from_secs(5);

/// Between two attempts to put a dead message aside, at least.
const PUT_ASIDE_PAUSE: Duration = Duration::from_millis(250);

/// The most characters of a reason: what an actor says goes along with a dead message.
const REASON_LEN_MAX: usize = 1_024;

/// A message as it came. It does not keep the packet that it was read from.
pub(super) struct Message {
    topic: String,
    body: Bytes,
    reply_to: Option<String>,
    /// How its broker hears of its end; it keeps none of QoS 0.
    pub(super) ticket: Option<Ticket>,
}

impl Message {
    /// Nothing where the topic is no text.
    pub(super) fn new(publish: &Publish) -> Option<Self> {
        let said = publish.properties.as_ref();
        let reply_to = said.and_then(|said| {
            let topic = said.response_topic.as_ref().filter(|topic| !topic.is_empty())?;
            Some(topic::reply_to(topic, said.correlation_data.as_deref()))
        });
        let topic = str::from_utf8(&publish.topic).ok()?.to_owned();
        let body = Bytes::copy_from_slice(&publish.payload);
        Some(Self { topic, body, reply_to, ticket: None })
    }

    pub(super) fn len(&self) -> usize {
        self.topic.len() + self.body.len() + self.reply_to.as_ref().map_or(0, String::len)
    }

    /// What tells it from another of the same number.
    pub(super) fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.topic, &self.body).hash(&mut hasher);
        hasher.finish()
    }

    fn as_broker_message(&self) -> BrokerMessage<'_> {
        BrokerMessage {
            subject: self.topic.as_str().into(),
            body: (&self.body[..]).into(),
            reply_to: self.reply_to.clone(),
        }
    }

    /// Gives it to the actor until the broker may forget it, or the link takes nothing any more: then the broker sends it again.
    pub(super) async fn handle(
        mut self,
        told: Arc<Told>,
        place: OwnedSemaphorePermit,
        mut end: End,
    ) {
        let Some(ticket) = self.ticket.take() else { return self.hand_over(&told).await };
        let mut place = Some(place);
        for attempt in 1.. {
            let delivery = deliver(&told.work.actor, self.as_broker_message()).await;
            let reason = delivery.reason().unwrap_or_default();
            let pause = match told.handing.attempts.verdict(&delivery, attempt) {
                Verdict::Handled => return ticket.handled(),
                Verdict::Dead => {
                    return self.give_up(&told, ticket, attempt, &reason, place, end).await;
                }
                Verdict::Again(pause) => pause,
            };
            told.say("a message was not handled, it will be given again", &reason);
            drop(place.take()); // others need not wait for it meanwhile
            let next = async {
                sleep(pause).await;
                told.work.place().await
            };
            tokio::select! {
                () = end.draining() => return,
                next = next => place = Some(next),
            }
        }
    }

    /// Gives it to the actor once, as nobody keeps it: again only where the actor provably did not get it.
    async fn hand_over(&self, told: &Told) {
        let last = Instant::now() + told.work.actor.timeout;
        let delivery =
            deliver_until(&told.work.actor, &self.as_broker_message(), last, sleep).await;
        if let Some(reason) = delivery.reason() {
            told.say("messages were not handled", &reason);
        }
    }

    /// Puts it aside where there is a place for dead ones; as long as that fails it stays the broker's.
    async fn give_up(
        &self,
        told: &Told,
        ticket: Ticket,
        attempts: u64,
        reason: &str,
        place: Option<OwnedSemaphorePermit>,
        mut end: End,
    ) {
        let Some(dead) = &told.handing.dead_letter else {
            let (link, topic) = (told.work.actor.link, &self.topic);
            warn!(link, topic, reason, "a message is given up, its link has no dead_letter_topic");
            return ticket.handled();
        };
        let mut place = place;
        let (mut bare, mut was_cut) = (false, false);
        loop {
            let why = (!bare).then(|| self.why(attempts, reason));
            let Err(failure) = self.put_aside(told, dead, why).await else {
                told.say("a message is dead, see its link's dead_letter_topic", reason);
                return ticket.handled();
            };
            told.say("a dead message could not be put aside", &failure.to_string());
            place.take();
            // The body is what matters: a broker may take it that refuses, or ends the connection for, what stands beside it.
            // One that ends it does so each time: the connection may have broken for something else.
            let is_cut = failure.kind == Kind::Interrupted;
            let refused = match failure.kind {
                Kind::Unavailable | Kind::NoResponders => false,
                Kind::Interrupted => was_cut || bare,
                _ => true,
            };
            was_cut = is_cut && !refused;
            bare ^= refused;
            let pause = match refused && bare {
                true => PUT_ASIDE_PAUSE,
                false => told.handing.attempts.pause(attempts).max(PUT_ASIDE_PAUSE),
            };
            tokio::select! {
                () = end.draining() => return,
                () = sleep(pause) => {}
            }
        }
    }

    /// What goes along with a dead message.
    fn why(&self, attempts: u64, reason: &str) -> PublishProperties {
        let said: String = reason.chars().take(REASON_LEN_MAX).map(printable).collect();
        let mut properties = PublishProperties::default();
        for (name, value) in [
            ("wattle-dead-reason", said),
            ("wattle-dead-topic", self.topic.clone()),
            ("wattle-dead-deliveries", attempts.to_string()),
        ] {
            properties.user_properties.push((name.to_owned(), value));
        }
        properties
    }

    async fn put_aside(
        &self,
        told: &Told,
        dead: &str,
        why: Option<PublishProperties>,
    ) -> Result<(), Failure> {
        let message = Publish::new(dead, QoS::AtLeastOnce, self.body.clone(), why);
        match timeout(PUT_ASIDE_WAIT, told.server.publish(message)).await {
            Ok(Ok(Taken::Kept)) => Ok(()),
            Ok(Ok(Taken::Unheard)) => {
                let text = format!("nobody has subscribed to {dead}, so nobody would keep it");
                Err(Failure::new(Kind::NoResponders, text))
            }
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::new(Kind::Interrupted, told.server.says("no answer in time"))),
        }
    }
}

/// A property's value has no characters that a broker may refuse.
fn printable(c: char) -> char {
    if topic::is_forbidden(c) { ' ' } else { c }
}
