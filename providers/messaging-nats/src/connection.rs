//! One connection, from its handshake until it is lost: what can be done over it, and how its end is noticed.
//!
//! A client of NATS writes into a socket and hears nothing: a publish to a server that has just died looks like one that was
//! taken. So a connection sends itself an empty message, an *echo*, after what it has published: the server handles one
//! connection's messages in their order, so once the echo is back, everything before it was taken. One echo serves all
//! publishes that wait at the same time. An echo that does not come back also tells of a server that hangs.

use std::{
    error::Error,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::{Client, Event, ServerError, Subscriber};
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{sleep, timeout},
};
use tracing::warn;

use crate::{
    forbidden::{Forbidden, violation},
    login::Login,
};
use wattle_sdk::Burst;

/// How long an echo may take while nothing else comes. A NATS answers in microseconds; two seconds without a byte mean that it hangs.
const ECHO_WAIT: Duration = Duration::from_secs(2);

/// Between two echoes while nobody publishes.
const ECHO_PAUSE: Duration = Duration::from_millis(500);

/// Events of the client that wait to be looked at. More are lost, and only permissions' violations are missed then: a connection
/// that breaks is noticed by its echo, too.
const EVENTS_MAX: usize = 256;

/// No echo will ever come: everything counts as confirmed once it is written.
const WITHOUT_ECHO: u64 = u64::MAX;

/// A connection that was made.
pub(crate) struct Connection {
    client: Client,
    inbox: String,
    /// The number of the last echo that was begun, and of the last that came back.
    begun: AtomicU64,
    came_back: watch::Sender<u64>,
    wanted: Notify,
    /// Why the connection is lost, once it is.
    lost: watch::Sender<Option<Arc<str>>>,
    /// What this login may not publish to, as the server has said.
    forbidden: Forbidden,
    dropped: Burst,
}

/// What a connection's keeper hears of it.
pub(crate) struct Heard {
    events: mpsc::Receiver<Event>,
    echo: Subscriber,
}

/// Why something did not come to its end over a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The connection is lost, for this reason.
    Lost(Arc<str>),
    /// Time is up.
    Late,
}

impl Connection {
    /// Connects once.
    pub(crate) async fn open(login: &Login) -> Result<(Arc<Self>, Heard), OpenError> {
        let (saying, events) = mpsc::channel(EVENTS_MAX);
        let options = login.options().map_err(OpenError::Refused)?.event_callback(move |event| {
            let _ = saying.try_send(event); // see EVENTS_MAX
            std::future::ready(())
        });
        let client = options.connect(login.servers()).await.map_err(OpenError::from)?;
        let inbox = client.new_inbox();
        let echo = client.subscribe(inbox.clone()).await;
        let echo = echo.map_err(|error| OpenError::Unreachable(error.to_string()))?;
        let connection = Self {
            client,
            inbox,
            begun: AtomicU64::new(0),
            came_back: watch::Sender::new(0),
            wanted: Notify::new(),
            lost: watch::Sender::new(None),
            forbidden: Forbidden::default(),
            dropped: Burst::default(),
        };
        Ok((Arc::new(connection), Heard { events, echo }))
    }

    /// The client, good until the connection is lost.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until everything that was published before has reached the server.
    pub(crate) async fn confirmed(&self) {
        let next = self.begun.load(Ordering::SeqCst) + 1; // one that is under way may have been sent before
        self.wanted.notify_one();
        let mut came_back = self.came_back.subscribe();
        let came = came_back.wait_for(|&echo| echo >= next).await.map(|echo| *echo);
        if came.is_ok_and(|echo| echo == WITHOUT_ECHO) {
            let _ = self.client.flush().await; // a connection that broke is lost, which whoever waits here hears, too
        }
    }

    /// Whether the server has said since then, or just before, that this login may not publish to this subject. It may let it later.
    pub(crate) fn is_forbidden(&self, subject: &str, since: Instant) -> bool {
        self.forbidden.covers(subject, since)
    }

    /// Waits until the connection is lost, and says why.
    pub(crate) async fn lost(&self) -> Arc<str> {
        let mut lost = self.lost.subscribe();
        let reason = lost.wait_for(Option::is_some).await.ok().and_then(|reason| reason.clone());
        reason.unwrap_or_else(|| "the connection was closed".into())
    }

    /// Runs something over the connection until it ends, the connection is lost or time is up.
    pub(crate) async fn run<T>(
        &self,
        wait: Duration,
        step: impl Future<Output = T>,
    ) -> Result<T, Broken> {
        tokio::select! {
            biased;
            done = step => Ok(done),
            reason = self.lost() => Err(Broken::Lost(reason)),
            () = sleep(wait) => Err(Broken::Late),
        }
    }

    /// Listens to the connection until it is lost, tells everybody who uses it, and says why.
    pub(crate) async fn keep(&self, heard: Heard) -> Arc<str> {
        let Heard { events, echo } = heard;
        let reason: Arc<str> = tokio::select! {
            reason = self.hear(events) => reason.into(),
            reason = self.echo(echo) => reason.into(),
        };
        self.lost.send_replace(Some(Arc::clone(&reason)));
        reason
    }

    async fn hear(&self, mut events: mpsc::Receiver<Event>) -> &'static str {
        while let Some(event) = events.recv().await {
            match event {
                Event::Disconnected | Event::Closed => break,
                Event::ServerError(ServerError::Other(text)) => self.server_said(&text),
                Event::SlowConsumer(_) => self.dropped.note(|count| {
                    warn!(count, "messages were dropped: more came at once than could be read");
                }),
                _ => {}
            }
        }
        "the connection broke"
    }

    fn server_said(&self, text: &str) {
        if violation(text, "subscription") == Some(&self.inbox)
            || violation(text, "publish") == Some(&self.inbox)
        {
            warn!(
                error = text,
                "this login may not use its own inbox, so publishes cannot be confirmed"
            );
            self.came_back.send_replace(WITHOUT_ECHO);
            return;
        }
        let Some(subject) = violation(text, "publish") else {
            return warn!(error = text, "the server refused something");
        };
        warn!(subject, "the server lets this login not publish to a subject");
        self.forbidden.note(subject, Instant::now());
    }

    async fn echo(&self, mut echo: Subscriber) -> &'static str {
        loop {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let round = async {
                self.client.publish(self.inbox.clone(), Bytes::new()).await.ok()?;
                echo.next().await
            };
            let came = self.unless_silent(round).await;
            match came {
                // Where no echo is allowed the client's own pings tell of a server that hangs.
                _ if *self.came_back.borrow() == WITHOUT_ECHO => std::future::pending().await,
                Some(Some(_)) => {
                    self.came_back.send_replace(number);
                }
                Some(None) => return "the connection broke",
                None => return "no answer in time",
            }
            tokio::select! {
                () = self.wanted.notified() => {}
                () = sleep(ECHO_PAUSE) => {}
            }
        }
    }

    /// What a step comes to; nothing once the server has been silent for as long as an echo may take. One that has much to send, over
    /// a slow way, comes to the echo late.
    async fn unless_silent<T>(&self, step: impl Future<Output = T>) -> Option<T> {
        let mut step = pin!(step);
        let statistics = self.client.statistics();
        loop {
            let before = statistics.in_bytes.load(Ordering::Relaxed);
            match timeout(ECHO_WAIT, &mut step).await {
                Ok(done) => return Some(done),
                Err(_) if statistics.in_bytes.load(Ordering::Relaxed) != before => {}
                Err(_) => return None,
            }
        }
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OpenError {
    /// Nothing there, or nothing that answers: it may come.
    #[error("{0}")]
    Unreachable(String),
    /// The server is there, and this login may not.
    #[error("{0}")]
    Refused(String),
}

impl From<async_nats::ConnectError> for OpenError {
    fn from(error: async_nats::ConnectError) -> Self {
        use async_nats::ConnectErrorKind::{Authentication, AuthorizationViolation, Tls};
        let text = error.to_string();
        match error.kind() {
            Authentication | AuthorizationViolation | Tls => Self::Refused(text),
            _ if is_distrust(&error) => Self::Refused(text),
            _ => Self::Unreachable(text),
        }
    }
}

/// Whether TLS itself failed, which the client tells as one of many failures to read and write: a certificate that is not
/// trusted will not be in a second's time, either.
fn is_distrust(error: &async_nats::ConnectError) -> bool {
    let source = error.source().and_then(<dyn Error>::downcast_ref::<io::Error>);
    let inner = source.and_then(io::Error::get_ref);
    inner.is_some_and(|inner| inner.is::<async_nats::rustls::Error>())
}
