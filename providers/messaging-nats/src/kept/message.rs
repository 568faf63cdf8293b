//! One message of a stream, from when it is given to the actor until the stream knows what came of it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_nats::{
    Request, RequestErrorKind,
    jetstream::{self, AckKind},
};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;
use wattle_messaging::{BrokerMessage, Failure, Kind, Verdict, deliver};

use super::Kept;
use crate::dead_letter;

/// How long the server may take to answer an acknowledgement.
const ACK_WAIT: Duration = Duration::from_secs(2);

/// How long nobody may listen to acknowledgements: a server that has just started answers for no stream yet. After that the stream,
/// or its consumer, is gone.
const UNHEARD_MAX: Duration = Duration::from_secs(10);

/// Between two attempts to tell the server.
const TELL_PAUSE: Duration = Duration::from_millis(50);

/// How long a dead message is tried to be put aside before it goes back to its stream, and the pause between two attempts.
const PUT_ASIDE_WAIT: Duration = Duration::from_secs(10);
const PUT_ASIDE_PAUSE: Duration = Duration::from_millis(250);

/// Words of progress within the time that the server waits for one: two may get lost.
const PROGRESS_WORDS: u32 = 3;

/// A message under way.
pub(super) struct Given {
    pub(super) kept: Arc<Kept>,
    pub(super) message: jetstream::Message,
}

impl Given {
    /// Gives the message to the actor and tells the stream what came of it.
    pub(super) async fn handle(self) {
        let attempt = self.message.info().map_or(1, |info| info.delivered.max(1).unsigned_abs());
        let delivery = tokio::select! {
            delivery = deliver(&self.kept.work.actor, self.broker_message()) => delivery,
            never = self.say_it_goes_on() => match never {},
        };
        let verdict = self.kept.stream.attempts.verdict(&delivery, attempt);
        let reason = delivery.reason().unwrap_or_default();
        match verdict {
            Verdict::Handled => self.tell(AckKind::Ack).await,
            Verdict::Again(pause) => {
                self.kept.say("a message was not handled, it will be given again", &reason);
                self.tell(AckKind::Nak(Some(pause))).await;
            }
            Verdict::Dead => self.give_up(&reason).await,
        }
    }

    /// JetStream's `reply` is where acknowledgements go, not where anybody waits for an answer.
    fn broker_message(&self) -> BrokerMessage<'_> {
        BrokerMessage {
            subject: self.message.subject.as_str().into(),
            body: (&self.message.payload[..]).into(),
            reply_to: None,
        }
    }

    /// Keeps the server from giving the message to somebody else while the actor works.
    async fn say_it_goes_on(&self) -> Infallible {
        loop {
            sleep(self.kept.stream.ack_wait / PROGRESS_WORDS).await;
            let Some(reply) = self.message.reply.clone() else { continue };
            if let Ok(connection) = self.kept.server.connection() {
                let word = AckKind::Progress.into();
                let _ = connection.client().publish(reply, word).await; // the next word may come through
            }
        }
    }

    /// Tells the stream, and hears that it has understood; over another connection, if this one breaks. After the time that the
    /// server waits for a word, it gives the message to somebody anyway.
    async fn tell(&self, word: AckKind) {
        let Some(reply) = self.message.reply.clone() else { return };
        let last = Instant::now() + self.kept.stream.ack_wait;
        let mut unheard = None;
        while let Some(left) = last.checked_duration_since(Instant::now()) {
            let Ok(connection) = timeout(left, self.kept.server.connected()).await else { return };
            let request = Request::new().payload(word.into()).timeout(None);
            let told = connection.client().send_request(reply.clone(), request);
            match connection.run(ACK_WAIT.min(left), told).await {
                Ok(Ok(_)) => return,
                Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {
                    let since = *unheard.get_or_insert_with(Instant::now);
                    if since.elapsed() >= UNHEARD_MAX {
                        let reason = "its stream or its consumer is gone";
                        return self.kept.say("what came of a message is not told", reason);
                    }
                }
                _ => unheard = None,
            }
            sleep(TELL_PAUSE).await;
        }
    }

    async fn give_up(&self, reason: &str) {
        let Some(subject) = &self.kept.stream.dead_letter else {
            let (link, stream) = (self.kept.work.actor.link, &self.kept.stream.name);
            let sequence = self.message.info().map_or(0, |info| info.stream_sequence);
            warn!(
                link,
                stream,
                sequence,
                reason,
                "a message is given up, its link has no dead_letter_subject"
            );
            return self.tell(AckKind::Term).await;
        };
        let put = tokio::select! {
            put = self.put_aside(subject, reason) => put,
            never = self.say_it_goes_on() => match never {},
        };
        match put {
            Ok(()) => {
                self.kept.say("a message is dead, see its stream's dead_letter_subject", reason);
                self.tell(AckKind::Term).await;
            }
            Err(failure) => {
                self.kept.say("a dead message could not be put aside", &failure.to_string());
                self.tell(AckKind::Nak(self.kept.stream.attempts.backoff.last().copied())).await;
            }
        }
    }

    /// Has another stream keep the message: again while that fails, so that it need not reach its actor once more.
    async fn put_aside(&self, subject: &str, reason: &str) -> Result<(), Failure> {
        let last = Instant::now() + PUT_ASIDE_WAIT;
        loop {
            let kept = match self.kept.server.connection() {
                Ok(connection) => {
                    dead_letter::publish(&connection, subject, &self.message, reason).await
                }
                Err(failure) => Err(failure),
            };
            match kept {
                Err(failure) if may_pass(&failure) && Instant::now() < last => {
                    sleep(PUT_ASIDE_PAUSE).await;
                }
                kept => return kept,
            }
        }
    }
}

/// Whether the same message may be kept a little later.
fn may_pass(failure: &Failure) -> bool {
    !matches!(failure.kind, Kind::Denied | Kind::Invalid | Kind::TooLarge)
}
