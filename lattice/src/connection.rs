//! One connection to NATS for one lattice.

mod error;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use async_nats::{Client, Event, RequestErrorKind};
use bytes::Bytes;
use futures::FutureExt;
use rand::Rng;
use tokio::{
    sync::watch,
    task::unconstrained,
    time::{Instant, timeout, timeout_at},
};
use wattle_core::{LatticeName, Name, Subject};

pub use self::error::ConnectError;
pub(crate) use self::error::chain;
use crate::{
    ConnectOptions, Traffic,
    options::{Prepared, prepare},
    traffic::Counters,
};

/// How long [`Lattice::connect`] tries.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// How long one address gets. An unanswered SYN is repeated after 1 and 3 s: a network that is back is found soon.
const ADDRESS_WAIT: Duration = Duration::from_secs(4);
/// A server that answers three of these late is gone. A broken connection is seen at once; this is for frozen servers and cut
/// networks.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// The first retries come fast, so that a restarted server finds us back at once.
const RETRY_DELAY: Duration = Duration::from_millis(50);
/// Later ones are spread over a range, so that a fleet does not come back in step.
const RETRY_DELAY_MS: std::ops::Range<u64> = 100..250;
/// After so many attempts, about half a minute, …
const RETRY_PATIENCE: usize = 150;
/// … we are in no hurry, but still back within a second.
const RETRY_DELAY_LONG_MS: std::ops::Range<u64> = 250..500;
/// Messages that wait in one subscription; beyond it the client drops them. Who reads them never waits on the network.
const SUBSCRIPTION_CAPACITY: usize = 8_192;
/// Messages that wait to be written.
const OUTGOING_CAPACITY: usize = 2_048;

/// A handle to the mesh. Clones share one connection, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Lattice {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: LatticeName,
    client: Client,
    /// Below it, replies reach this client and only this one.
    reply: Subject,
    options: ConnectOptions,
    connected: watch::Receiver<bool>,
    counters: Counters,
    /// While it lives, connecting goes on.
    _wanted: Arc<()>,
}

/// How a connection is made.
#[derive(Clone, Copy)]
struct Manner {
    /// The first attempt need not succeed.
    retry: bool,
    /// Another connection says in the log whether NATS is there.
    quiet: bool,
}

impl Lattice {
    /// Connects, or says within 5 s why not.
    pub async fn connect(
        name: LatticeName,
        options: &ConnectOptions,
    ) -> Result<Self, ConnectError> {
        let prepared = prepare(options).await?;
        let shown = prepared.shown.clone();
        let timed_out = || ConnectError::TimedOut { servers: shown.clone() };
        let deadline = Instant::now() + CONNECT_WAIT;
        let manner = Manner { retry: false, quiet: false };
        let made =
            timeout_at(deadline, Box::pin(Self::make(name, options, prepared, manner))).await;
        let lattice = made.map_err(|_| timed_out())??;
        // The client's word for it comes a moment later than the connection.
        let mut connected = lattice.connected();
        let told = timeout_at(deadline, connected.wait_for(|connected| *connected)).await;
        told.map_err(|_| timed_out())?.map_err(|_| timed_out())?;
        Ok(lattice)
    }

    /// Returns at once and connects in the background, for as long as it takes: a host starts without NATS. Only options that
    /// can never work are an error.
    pub async fn join(name: LatticeName, options: &ConnectOptions) -> Result<Self, ConnectError> {
        let prepared = prepare(options).await?;
        let manner = Manner { retry: true, quiet: false };
        Box::pin(Self::make(name, options, prepared, manner)).await
    }

    /// One more connection like this one, which works in the runtime that this is called in, and leaves it to the first to say
    /// in the log how NATS fares.
    pub async fn another(&self) -> Result<Self, ConnectError> {
        let options = &self.inner.options;
        let prepared = prepare(options).await?;
        let manner = Manner { retry: true, quiet: true };
        Box::pin(Self::make(self.name().clone(), options, prepared, manner)).await
    }

    async fn make(
        name: LatticeName,
        options: &ConnectOptions,
        prepared: Prepared,
        manner: Manner,
    ) -> Result<Self, ConnectError> {
        let Prepared { options: client, servers, shown } = prepared;
        let reply = Subject::ClientReply { lattice: name.clone(), client: random_name() };
        let wanted = Arc::new(());
        let still_wanted = Arc::downgrade(&wanted);
        let (sender, connected) = watch::channel(false);
        let sender = Arc::new(sender);
        let mut client = client
            // All replies, JetStream's too, come on the subject that is this client's own: never `_INBOX`.
            .custom_inbox_prefix(&reply)
            .connection_timeout(ADDRESS_WAIT)
            .ping_interval(PING_INTERVAL)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .client_capacity(OUTGOING_CAPACITY)
            .reconnect_delay_callback(move |attempt| retry_delay(attempt, &still_wanted))
            .event_callback(move |event| {
                tell(&sender, &event, manner.quiet);
                async {}
            });
        if manner.retry {
            client = client.retry_on_initial_connect();
        }
        let client = client
            .connect(servers)
            .await
            .map_err(|error| ConnectError::from_nats(shown, &error))?;
        let counters = Counters::default();
        let options = options.clone();
        let inner = Inner { name, client, reply, options, connected, counters, _wanted: wanted };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The lattice's name.
    pub fn name(&self) -> &LatticeName {
        &self.inner.name
    }

    /// Whether NATS is there, now and whenever it changes.
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.inner.connected.clone()
    }

    /// What was dropped and refused so far.
    pub fn traffic(&self) -> Traffic {
        self.inner.counters.read()
    }

    /// Waits until the server has what was said before, at most `wait`: before a process ends. Whether it has.
    pub async fn flush(&self, wait: Duration) -> bool {
        if !self.is_connected() {
            return false;
        }
        // Written is not received. The server takes things in order, so that its word that nobody serves a subject, which
        // nobody ever does, comes after all that was said before.
        let subject = format!("{}.flush", self.inner.reply);
        let request = async_nats::Request::new().timeout(Some(wait));
        let answer = timeout(wait, self.client().send_request(subject, request)).await;
        let none =
            |error: &async_nats::RequestError| error.kind() == RequestErrorKind::NoResponders;
        matches!(answer, Ok(Err(error)) if none(&error))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    pub(crate) fn js_domain(&self) -> Option<&str> {
        self.inner.options.js_domain.as_deref()
    }

    pub(crate) fn is_connected(&self) -> bool {
        *self.inner.connected.borrow()
    }

    /// Waits for a connection, at most `wait`. Whether there is one.
    pub(crate) async fn is_connected_within(&self, wait: Duration) -> bool {
        let mut connected = self.connected();
        matches!(timeout(wait, connected.wait_for(|connected| *connected)).await, Ok(Ok(_)))
    }

    /// Waits for the connection to break.
    pub(crate) async fn lost(&self) {
        let mut connected = self.connected();
        // An error means that there is no client any more.
        drop(connected.wait_for(|connected| !*connected).await);
    }

    /// Publishes without ever waiting: without a connection or room it is not sent. Whether it was.
    pub(crate) fn try_publish(
        &self,
        subject: String,
        headers: Option<async_nats::HeaderMap>,
        payload: Bytes,
    ) -> bool {
        // Without a connection the client would keep it and say it hours later.
        if !self.is_connected() {
            return false;
        }
        let headers = headers.unwrap_or_default();
        let sent = if headers.is_empty() {
            unconstrained(self.client().publish(subject, payload)).now_or_never()
        } else {
            let publish = self.client().publish_with_headers(subject, headers, payload);
            unconstrained(publish).now_or_never()
        };
        matches!(sent, Some(Ok(())))
    }
}

/// What the client's events say about the connection.
fn tell(connected: &watch::Sender<bool>, event: &Event, quiet: bool) {
    let now = match event {
        Event::Connected => true,
        Event::Disconnected | Event::Closed => false,
        _ => return,
    };
    let changed = connected.send_if_modified(|before| std::mem::replace(before, now) != now);
    match (changed, now) {
        (false, _) => {}
        _ if quiet => {}
        (true, true) => tracing::info!("connected to NATS"),
        (true, false) => tracing::warn!("lost the connection to NATS"),
    }
}

/// How long to wait before an attempt to connect; the client counts them from 1.
fn retry_delay(attempt: usize, wanted: &Weak<()>) -> Duration {
    /// The client has no other way to be told that nobody waits for it any more.
    const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    match attempt {
        _ if wanted.strong_count() == 0 => NEVER,
        0 | 1 => Duration::ZERO,
        2 | 3 => RETRY_DELAY,
        4..RETRY_PATIENCE => Duration::from_millis(rand::rng().random_range(RETRY_DELAY_MS)),
        _ => Duration::from_millis(rand::rng().random_range(RETRY_DELAY_LONG_MS)),
    }
}

/// A client's id for the time of its connection: unguessable, so that nobody answers in another's name by chance.
fn random_name() -> Name {
    let number: u128 = rand::rng().random();
    format!("{number:032x}").parse().expect("hex digits are a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_fast_and_never_far_apart() {
        let wanted = Arc::new(());
        let weak = Arc::downgrade(&wanted);
        assert_eq!(retry_delay(1, &weak), Duration::ZERO);
        for attempt in 2..1_000 {
            assert!(retry_delay(attempt, &weak) >= RETRY_DELAY, "attempt {attempt}");
            assert!(retry_delay(attempt, &weak) <= Duration::from_millis(500));
        }
        drop(wanted);
        assert!(retry_delay(2, &weak) > Duration::from_secs(60 * 60));
    }
}
