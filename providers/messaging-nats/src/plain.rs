//! Messages as they come. NATS keeps none of them, so what an actor cannot take in time is dropped, and counted.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{Message, Subscriber};
use futures::{
    StreamExt as _,
    stream::{SelectAll, select_all},
};
use tokio::time::{sleep, timeout};
use tracing::warn;
use wattle_messaging::{BrokerMessage, deliver_until};
use wattle_sdk::Burst;
use wattle_sdk::handing::{End, Phase, Queue, Queued, Ready, Work, queue};

use crate::{connection::Connection, server::Server, settings::Subscription};

/// Messages of one link that wait for a place at the actor, and their bytes; more are dropped.
const QUEUE_LEN_MAX: usize = 4_096;
const QUEUE_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// Until a subscription that the server has not heard of is tried again on the same connection.
const SUBSCRIBE_WAIT: Duration = Duration::from_secs(2);

/// How long a drained link waits for what the server has sent already.
const REST_WAIT: Duration = Duration::from_secs(2);

/// One link's subscriptions.
pub(crate) struct Plain {
    pub(crate) server: Arc<Server>,
    pub(crate) work: Arc<Work>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) dropped: Burst,
}

impl Plain {
    /// Listens until the link ends, on whichever connection there is.
    pub(crate) async fn run(self, end: End, ready: Ready) {
        let (queue, waiting) = queue(QUEUE_LEN_MAX, QUEUE_BYTES_MAX);
        let listening = self.listen(queue, end.clone(), ready);
        let failures = Arc::new(Burst::default());
        let giving = waiting.give(&self.work, end, |message: Queued<Message>| {
            let (work, failures) = (Arc::clone(&self.work), Arc::clone(&failures));
            async move { hand_over(&work, &message.thing, &failures).await }
        });
        futures::join!(listening, giving);
    }

    async fn listen(&self, queue: Queue<Message>, mut end: End, mut ready: Ready) {
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
                    if end.phase() == Phase::Draining {
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

    /// Takes what comes, or drops it, until the subscriptions end: never waits, so that the connection's other subscriptions do not
    /// either.
    async fn take(&self, messages: &mut SelectAll<Subscriber>, queue: &Queue<Message>) {
        while let Some(message) = messages.next().await {
            let len = message.length;
            if !queue.push(message, len) {
                self.dropped.note(|count| {
                    let link = self.work.actor.link;
                    warn!(link, count, "messages were dropped: the actor takes them too slowly");
                });
            }
        }
    }

    /// Ends the subscriptions, and takes what the server has sent before it heard of that.
    async fn take_the_rest(&self, messages: &mut SelectAll<Subscriber>, queue: &Queue<Message>) {
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

/// Gives one message to the actor: again and again only where it provably did not get it.
async fn hand_over(work: &Work, message: &Message, failures: &Burst) {
    let last = Instant::now() + work.actor.timeout;
    let delivery = deliver_until(&work.actor, &broker_message(message), last, sleep).await;
    if let Some(reason) = delivery.reason() {
        failures.note(|count| {
            let (link, subject) = (work.actor.link, message.subject.as_str());
            warn!(link, subject, count, reason, "messages were not handled");
        });
    }
}

fn broker_message(message: &Message) -> BrokerMessage<'_> {
    BrokerMessage {
        subject: message.subject.as_str().into(),
        body: (&message.payload[..]).into(),
        reply_to: message.reply.as_ref().map(|reply| reply.as_str().to_owned()),
    }
}
