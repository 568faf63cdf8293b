//! Where answers to requests come in: one listening connection per login, which many requests share.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::StreamExt as _;
use parking_lot::Mutex;
use redis::{Msg, RedisError, aio::PubSub};
use tokio::{
    sync::{oneshot, watch},
    time::{sleep, timeout},
};
use tracing::{debug, warn};
use wattle_messaging::BrokerMessage;
use wattle_sdk::Burst;

use crate::{
    address::Address,
    connection::{is_refusal, listening},
    entry::of_payload,
    server::{RECONNECT_PAUSE, REFUSED_PAUSE},
};

/// What the channels of all answers begin with. A link that publishes into a stream publishes to these as to channels.
pub(crate) const INBOX: &str = "_INBOX.";

/// Between two pings on a listening connection, and how long an answer may take.
const PING_PAUSE: Duration = Duration::from_secs(1);
const PONG_WAIT: Duration = Duration::from_secs(5);

/// Requests that wait for their answers, while there is a connection that would bring them.
pub(crate) struct Inbox {
    prefix: String,
    next: AtomicU64,
    waiting: Mutex<HashMap<String, oneshot::Sender<BrokerMessage<'static>>>>,
    listening: watch::Sender<bool>,
}

impl Default for Inbox {
    fn default() -> Self {
        let prefix = format!("{INBOX}{:032x}.", rand::random::<u128>());
        let (waiting, listening) = (Mutex::default(), watch::Sender::new(false));
        Self { prefix, next: AtomicU64::new(0), waiting, listening }
    }
}

/// A request's place in the inbox; forgotten with it.
pub(crate) struct Waiting<'a> {
    inbox: &'a Inbox,
    pub(crate) channel: String,
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
        self.inbox.waiting.lock().remove(&self.channel);
    }
}

impl Inbox {
    /// A place for an answer, if answers can come.
    pub(crate) fn wait(&self) -> Option<Waiting<'_>> {
        if !*self.listening.borrow() {
            return None;
        }
        let channel = format!("{}{}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed));
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().insert(channel.clone(), sender);
        Some(Waiting { inbox: self, channel, answer })
    }

    /// Waits until answers can come.
    pub(crate) async fn listening(&self) {
        let _ = self.listening.subscribe().wait_for(|listening| *listening).await; // its sender is the inbox's
    }

    /// Listens for ever, on one connection after the other.
    pub(crate) async fn keep(self: Arc<Self>, address: Address) {
        let refused = Burst::default();
        loop {
            let listened = self.listen(&address).await;
            self.listening.send_replace(false);
            let pause = match listened {
                Err(error) if is_refusal(&error) => {
                    refused.note(|count| {
                        warn!(redis = %address, count, %error, "redis lets this login hear no answers");
                    });
                    REFUSED_PAUSE
                }
                Err(error) => {
                    debug!(redis = %address, %error, "answers cannot come in"); // the connection for commands says it aloud
                    RECONNECT_PAUSE
                }
                Ok(()) => RECONNECT_PAUSE,
            };
            sleep(pause).await;
        }
    }

    async fn listen(&self, address: &Address) -> Result<(), RedisError> {
        let mut pubsub = listening(address).await?;
        pubsub.psubscribe(format!("{}*", self.prefix)).await?;
        self.listening.send_replace(true);
        while let Some(message) = next(&mut pubsub).await {
            let Ok(channel) = message.get_channel::<String>() else { continue };
            if let Some(waiting) = self.waiting.lock().remove(&channel) {
                let answer = of_payload(&channel, message.get_payload_bytes()).into_owned();
                let _ = waiting.send(answer); // whoever asked may have given up
            }
        }
        Ok(())
    }
}

/// What is published next; nothing once the connection is broken, or Redis does not even answer a ping.
pub(crate) async fn next(pubsub: &mut PubSub) -> Option<Msg> {
    loop {
        let message = timeout(PING_PAUSE, pubsub.on_message().next()).await;
        if let Ok(message) = message {
            return message;
        }
        let pong = timeout(PONG_WAIT, pubsub.ping::<redis::Value>()).await;
        pong.ok()?.ok()?;
    }
}
