//! Messages as they come. NATS keeps none of them, so what an actor cannot take in time is dropped, and counted.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::{Message, Subscriber};
use futures::{
    StreamExt as _,
    stream::{SelectAll, select_all},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tracing::warn;
use wattle_messaging::{BrokerMessage, Burst, Delivery, deliver};

use crate::{
    connection::Connection,
    server::Server,
    settings::Subscription,
    work::{End, Phase, Ready, Work},
};

/// Messages of one link that wait for a place at the actor, and their bytes; more are dropped.
const QUEUE_LEN_MAX: usize = 4_096;
const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Pauses between attempts to give a message to an actor that is starting or has too much to do; they double.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);

/// Until a subscription that the server has not heard of is tried again on the same connection.
const SUBSCRIBE_WAIT: Duration = Duration::from_secs(2);

/// How long a drained link waits for what the server has sent already.
const REST_WAIT: Duration = Duration::from_secs(2);

/// One link's subscriptions.
pub(crate) struct Plain {
    pub(crate) server: Arc<Server>,
    pub(crate) work: Arc<Work>,
    pub(crate) subscriptions: Vec<Subscription>,
}

impl Plain {
    /// Listens until the link ends, on whichever connection there is.
    pub(crate) async fn run(self, end: End, ready: Ready) {
        let (queue, waiting) = queue();
        let listening = self.listen(queue, end.clone(), ready);
        let giving = give(&self.work, waiting, end);
        futures::join!(listening, giving);
    }

    async fn listen(&self, queue: Queue, mut end: End, mut ready: Ready) {
        loop {
            let listening = async {
                let connection = self.server.connected().await;
                let messages = self.messages(&connection, &mut ready).await;
                (connection, messages)
            };
            let (connection, messages) = tokio::select! {
                () = end.draining() => return,
                listening = listening => listening,
            };
            let Some(mut messages) = messages else { continue };
            tokio::select! {
                biased;
                () = end.draining() => {
                    if *end.0.borrow() == Phase::Draining {
                        self.take_the_rest(&mut messages, &queue).await;
                    }
                    return;
                }
                _ = connection.lost() => {}
                () = self.take(&mut messages, &queue) => {}
            }
        }
    }

    /// What the link's subscriptions bring over one connection, once the server has heard of them.
    async fn messages(
        &self,
        connection: &Connection,
        ready: &mut Ready,
    ) -> Option<SelectAll<Subscriber>> {
        let subscribed = async {
            let subscribers = self.subscribe(connection).await?;
            connection.confirmed().await;
            Ok::<_, async_nats::SubscribeError>(subscribers)
        };
        match connection.run(SUBSCRIBE_WAIT, subscribed).await {
            Ok(Ok(subscribers)) => {
                ready.say(Ok(()));
                Some(select_all(subscribers))
            }
            Ok(Err(error)) => {
                warn!(link = self.work.actor.link, %error, "cannot subscribe");
                ready.say(Err(self.server.says(&error.to_string())));
                sleep(SUBSCRIBE_WAIT).await;
                None
            }
            Err(_) => None,
        }
    }

    /// Takes what comes, until the subscriptions end.
    async fn take(&self, messages: &mut SelectAll<Subscriber>, queue: &Queue) {
        while let Some(message) = messages.next().await {
            queue.push(message, self.work.actor.link);
        }
    }

    /// Ends the subscriptions, and takes what the server has sent before it heard of that.
    async fn take_the_rest(&self, messages: &mut SelectAll<Subscriber>, queue: &Queue) {
        let rest = async {
            for subscriber in messages.iter_mut() {
                let _ = subscriber.drain().await; // over a connection that broke nothing comes any more
            }
            self.take(messages, queue).await;
        };
        let _ = timeout(REST_WAIT, rest).await; // what comes later, from a server that hangs, is lost
    }

    async fn subscribe(
        &self,
        connection: &Connection,
    ) -> Result<Vec<Subscriber>, async_nats::SubscribeError> {
        let mut subscribers = Vec::with_capacity(self.subscriptions.len());
        for Subscription { subject, group } in &self.subscriptions {
            let client = connection.client();
            subscribers.push(match group {
                Some(group) => client.queue_subscribe(subject.clone(), group.clone()).await?,
                None => client.subscribe(subject.clone()).await?,
            });
        }
        Ok(subscribers)
    }
}

/// Gives what waits to the actor, one message for each place that it has. Ends with the queue.
async fn give(work: &Arc<Work>, mut waiting: Waiting, mut end: End) {
    let mut deleted = pin!(end.deleted());
    let failures = Arc::new(Burst::default());
    loop {
        let next = async {
            let message = waiting.next().await?;
            Some((message, work.place().await))
        };
        let next = tokio::select! {
            biased;
            () = &mut deleted => return,
            next = next => next,
        };
        let Some((message, place)) = next else { return };
        let (work_, failures) = (Arc::clone(work), Arc::clone(&failures));
        work.give(place, async move { hand_over(&work_, &message, &failures).await });
    }
}

/// Gives one message to the actor: again and again only where it provably did not get it.
async fn hand_over(work: &Work, message: &Message, failures: &Burst) {
    let last = Instant::now() + work.actor.timeout;
    let mut pause = RETRY_PAUSE;
    loop {
        let delivery = deliver(&work.actor, broker_message(message)).await;
        let may_wait =
            matches!(&delivery, Delivery::NotRun(error) if error.kind.is_for_another_host());
        if may_wait && Instant::now() + pause < last {
            sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
            continue;
        }
        if let Some(reason) = delivery.reason() {
            failures.note(|count| {
                let (link, subject) = (work.actor.link, message.subject.as_str());
                warn!(link, subject, count, reason, "messages were not handled");
            });
        }
        return;
    }
}

fn broker_message(message: &Message) -> BrokerMessage<'_> {
    BrokerMessage {
        subject: message.subject.as_str().into(),
        body: (&message.payload[..]).into(),
        reply_to: message.reply.as_ref().map(|reply| reply.as_str().to_owned()),
    }
}

/// The end of a queue that messages come in at.
struct Queue {
    messages: mpsc::Sender<Message>,
    bytes: Arc<AtomicUsize>,
    dropped: Burst,
}

/// The end that they leave by.
struct Waiting {
    messages: mpsc::Receiver<Message>,
    bytes: Arc<AtomicUsize>,
}

fn queue() -> (Queue, Waiting) {
    let (sender, receiver) = mpsc::channel(QUEUE_LEN_MAX);
    let bytes = Arc::new(AtomicUsize::new(0));
    let waiting = Waiting { messages: receiver, bytes: Arc::clone(&bytes) };
    (Queue { messages: sender, bytes, dropped: Burst::default() }, waiting)
}

impl Queue {
    /// Takes a message, or drops it: never waits, so that the connection's other subscriptions do not either.
    fn push(&self, message: Message, link: u32) {
        let len = message.length;
        let fits = self.bytes.fetch_add(len, Ordering::Relaxed) + len <= QUEUE_BYTES_MAX;
        if fits && self.messages.try_send(message).is_ok() {
            return;
        }
        self.bytes.fetch_sub(len, Ordering::Relaxed);
        self.dropped.note(|count| {
            warn!(link, count, "messages were dropped: the actor takes them too slowly");
        });
    }
}

impl Waiting {
    async fn next(&mut self) -> Option<Message> {
        let message = self.messages.recv().await?;
        self.bytes.fetch_sub(message.length, Ordering::Relaxed);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: usize) -> Message {
        Message {
            subject: "s".into(),
            reply: None,
            payload: vec![0; len].into(),
            headers: None,
            status: None,
            description: None,
            length: len,
        }
    }

    #[tokio::test]
    async fn a_queue_holds_so_many_messages_and_so_many_bytes_and_drops_the_rest() {
        let (queue, mut waiting) = queue();
        for _ in 0..QUEUE_LEN_MAX + 10 {
            queue.push(message(1), 1);
        }
        assert_eq!(queue.bytes.load(Ordering::Relaxed), QUEUE_LEN_MAX);
        for _ in 0..QUEUE_LEN_MAX {
            waiting.next().await.expect("it was taken");
        }
        queue.push(message(QUEUE_BYTES_MAX), 1);
        queue.push(message(1), 1);
        drop(queue);
        assert_eq!(waiting.next().await.map(|message| message.length), Some(QUEUE_BYTES_MAX));
        assert!(waiting.next().await.is_none(), "the last did not fit");
    }
}
