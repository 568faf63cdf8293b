//! What is published on channels, as it comes. Redis keeps none of it, so what an actor cannot take in time is dropped, and
//! counted.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use redis::{Msg, RedisError, aio::PubSub};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tracing::warn;
use wattle_messaging::{Burst, Delivery, deliver};

use crate::{
    connection::{is_refusal, listening},
    entry::of_payload,
    inbox::next,
    server::{RECONNECT_PAUSE, REFUSED_PAUSE, Server},
    work::{End, Ready, Work},
};

/// Messages of one link that wait for a place at the actor, and their bytes; more are dropped.
const QUEUE_LEN_MAX: usize = 4_096;
const QUEUE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Pauses between attempts to give a message to an actor that is starting or has too much to do; they double.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);

/// One link's channels. It listens on a connection of its own.
pub(crate) struct Plain {
    pub(crate) server: Arc<Server>,
    pub(crate) work: Arc<Work>,
    pub(crate) channels: Vec<String>,
}

impl Plain {
    /// Listens until the link ends.
    pub(crate) async fn run(self, end: End, ready: Ready) {
        let (queue, waiting) = queue();
        let listening = self.listen(queue, end.clone(), ready);
        let giving = give(&self.work, waiting, end);
        futures::join!(listening, giving);
    }

    async fn listen(&self, queue: Queue, mut end: End, mut ready: Ready) {
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

    async fn listen_over(&self, mut pubsub: PubSub, queue: &Queue) {
        while let Some(message) = next(&mut pubsub).await {
            queue.push(message, self.work.actor.link);
        }
    }
}

/// Redis's patterns: `*`, `?` and `[…]`, with `\` in front of one that is meant as it stands.
fn is_pattern(channel: &str) -> bool {
    channel.contains(['*', '?', '['])
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
async fn hand_over(work: &Work, message: &Msg, failures: &Burst) {
    let last = Instant::now() + work.actor.timeout;
    let mut pause = RETRY_PAUSE;
    let Ok(channel) = message.get_channel::<String>() else {
        return warn!(link = work.actor.link, "a channel's name is no text");
    };
    loop {
        let delivery =
            deliver(&work.actor, of_payload(&channel, message.get_payload_bytes())).await;
        let may_wait =
            matches!(&delivery, Delivery::NotRun(error) if error.kind.is_for_another_host());
        if may_wait && Instant::now() + pause < last {
            sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
            continue;
        }
        if let Some(reason) = delivery.reason() {
            failures.note(|count| {
                warn!(link = work.actor.link, channel, count, reason, "messages were not handled");
            });
        }
        return;
    }
}

/// The end of a queue that messages come in at.
struct Queue {
    messages: mpsc::Sender<Msg>,
    bytes: Arc<AtomicUsize>,
    dropped: Burst,
}

/// The end that they leave by.
struct Waiting {
    messages: mpsc::Receiver<Msg>,
    bytes: Arc<AtomicUsize>,
}

fn queue() -> (Queue, Waiting) {
    let (sender, receiver) = mpsc::channel(QUEUE_LEN_MAX);
    let bytes = Arc::new(AtomicUsize::new(0));
    let waiting = Waiting { messages: receiver, bytes: Arc::clone(&bytes) };
    (Queue { messages: sender, bytes, dropped: Burst::default() }, waiting)
}

impl Queue {
    /// Takes a message, or drops it. It never waits: Redis cuts off who does not read.
    fn push(&self, message: Msg, link: u32) {
        let len = message.get_payload_bytes().len();
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
    async fn next(&mut self) -> Option<Msg> {
        let message = self.messages.recv().await?;
        self.bytes.fetch_sub(message.get_payload_bytes().len(), Ordering::Relaxed);
        Some(message)
    }
}
