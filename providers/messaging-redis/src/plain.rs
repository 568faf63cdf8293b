//! What is published on channels, as it comes. Redis keeps none of it, so what an actor cannot take in time is dropped, and
//! counted.

use std::{pin::pin, sync::Arc, time::Instant};

use redis::{Msg, RedisError, aio::PubSub};
use tokio::time::sleep;
use tracing::warn;
use wattle_messaging::deliver_until;
use wattle_sdk::Burst;
use wattle_sdk::handing::{End, Queue, Queued, Ready, Work, queue};

use crate::{
    connection::{is_refusal, listening},
    entry::of_payload,
    inbox::next,
    server::{RECONNECT_PAUSE, REFUSED_PAUSE, Server},
};

/// Messages of one link that wait for a place at the actor, and their bytes; more are dropped.
const QUEUE_LEN_MAX: usize = 4_096;
const QUEUE_BYTES_MAX: u32 = 32 * 1024 * 1024;

/// One link's channels. It listens on a connection of its own.
pub(crate) struct Plain {
    pub(crate) server: Arc<Server>,
    pub(crate) work: Arc<Work>,
    pub(crate) channels: Vec<String>,
    pub(crate) dropped: Burst,
}

impl Plain {
    /// Listens until the link ends.
    pub(crate) async fn run(self, end: End, ready: Ready) {
        let (queue, waiting) = queue(QUEUE_LEN_MAX, QUEUE_BYTES_MAX);
        let listening = self.listen(queue, end.clone(), ready);
        let failures = Arc::new(Burst::default());
        let giving = waiting.give(&self.work, end, |message: Queued<Msg>| {
            let (work, failures) = (Arc::clone(&self.work), Arc::clone(&failures));
            async move { hand_over(&work, &message.thing, &failures).await }
        });
        futures::join!(listening, giving);
    }

    async fn listen(&self, queue: Queue<Msg>, mut end: End, mut ready: Ready) {
        let mut draining = pin!(end.draining());
        let refused = Burst::default();
        loop {
            let listening = async {
                let mut pause = RECONNECT_PAUSE;
                match self.subscribe().await {
                    Ok(pubsub) => {
                        ready.say(Ok(()));
                        self.listen_over(pubsub, &queue).await;
                    }
                    Err(error) if is_refusal(&error) => {
                        let reason = self.server.says(&error.to_string());
                        refused.note(|count| {
                            warn!(link = self.work.actor.link, count, reason, "cannot listen");
                        });
                        ready.say(Err(reason));
                        pause = REFUSED_PAUSE;
                    }
                    Err(_) => {} // the connection for commands says what is wrong
                }
                sleep(pause).await;
            };
            tokio::select! {
                () = &mut draining => return,
                () = listening => {}
            }
        }
    }

    async fn subscribe(&self) -> Result<PubSub, RedisError> {
        let mut pubsub = listening(&self.server.address).await?;
        for channel in &self.channels {
            if is_pattern(channel) {
                pubsub.psubscribe(channel).await?;
            } else {
                pubsub.subscribe(channel).await?;
            }
        }
        Ok(pubsub)
    }

    /// Takes what comes, or drops it. It never waits: Redis cuts off who does not read.
    async fn listen_over(&self, mut pubsub: PubSub, queue: &Queue<Msg>) {
        while let Some(message) = next(&mut pubsub).await {
            let len = message.get_payload_bytes().len();
            if !queue.push(message, len) {
                self.dropped.note(|count| {
                    let link = self.work.actor.link;
                    warn!(link, count, "messages were dropped: the actor takes them too slowly");
                });
            }
        }
    }
}

/// Redis's patterns: `*`, `?` and `[…]`, with `\` in front of one that is meant as it stands.
fn is_pattern(channel: &str) -> bool {
    channel.contains(['*', '?', '['])
}

/// Gives one message to the actor: again and again only where it provably did not get it.
async fn hand_over(work: &Work, message: &Msg, failures: &Burst) {
    let Ok(channel) = message.get_channel::<String>() else {
        return warn!(link = work.actor.link, "a channel's name is no text");
    };
    let last = Instant::now() + work.actor.timeout;
    let message = of_payload(&channel, message.get_payload_bytes());
    let delivery = deliver_until(&work.actor, &message, last, sleep).await;
    if let Some(reason) = delivery.reason() {
        failures.note(|count| {
            warn!(link = work.actor.link, channel, count, reason, "messages were not handled");
        });
    }
}
