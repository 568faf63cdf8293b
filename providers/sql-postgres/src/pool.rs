//! A link's connections: at most so many, made when they are needed, and known to be down while they are.
//!
//! A pool of our own, because it has to know three things that ready-made ones do not tell apart: whether PostgreSQL is down, so
//! that calls fail at once; whether a connection's last statement is settled, so that one that was given up is cancelled before its
//! place is free; and which statements each connection has prepared, so that their number is bounded.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, OwnedSemaphorePermit, Semaphore, watch},
    task::AbortHandle,
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_postgres::Error;
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::{info, warn};
use wattle_postgres::{
    QueryError,
    error::{OVERLOADED, UNAVAILABLE},
};

use crate::{fault, session::Session, settings::Settings, tls};

/// How long connecting and logging in may take together.
const CONNECT_WAIT: Duration = Duration::from_secs(1);

/// Between two attempts to connect to a PostgreSQL that is down.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// Calls that wait for a connection of one link; more are refused at once.
const WAITING_MAX: usize = 1_024;

/// One link's connections. Dropping it closes them; statements under way end first.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

struct Shared {
    settings: Settings,
    tls: MakeRustlsConnect,
    /// One permit for each connection that is in use, being made or being put in order.
    permits: Arc<Semaphore>,
    /// One for each call that has a permit or waits for one.
    callers: Semaphore,
    idle: Mutex<Idle>,
    health: watch::Sender<Health>,
    doubted: Notify,
}

/// Connections with nothing under way, the last used first; none any more once the link is gone.
struct Idle(Option<Vec<Session>>);

#[derive(Clone, Debug)]
enum Health {
    /// Nobody has tried yet.
    Unknown,
    Up,
    Down {
        reason: String,
        refused: bool,
    },
}

impl Pool {
    /// Connects in the background, on the calling thread's runtime. Fails where the link's TLS cannot be set up.
    pub(crate) async fn start(settings: Settings) -> Result<Self, String> {
        let tls = tls::connector(settings.tls, settings.tls_ca_file.as_deref()).await?;
        let shared = Arc::new(Shared {
            permits: Arc::new(Semaphore::new(settings.pool_size)),
            callers: Semaphore::new(settings.pool_size + WAITING_MAX),
            idle: Mutex::new(Idle(Some(Vec::new()))),
            health: watch::Sender::new(Health::Unknown),
            doubted: Notify::new(),
            settings,
            tls,
        });
        let kept = Arc::clone(&shared);
        let keeper = tokio::spawn(async move { kept.keep().await }).abort_handle();
        Ok(Self { shared, keeper })
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Why PostgreSQL refuses this login, if it does; known once the first attempt to connect has ended.
    pub(crate) async fn refusal(&self) -> Option<String> {
        let mut health = self.shared.health.subscribe();
        let known = health.wait_for(|health| !matches!(health, Health::Unknown)).await;
        match known.as_deref() {
            Ok(Health::Down { reason, refused: true }) => Some(reason.clone()),
            _ => None,
        }
    }

    /// A connection for one call. Fails at once while PostgreSQL is down. The caller bounds the wait.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn checkout(&self) -> Result<Lease, QueryError> {
        let shared = &self.shared;
        let _caller = shared.callers.try_acquire().map_err(|_| {
            QueryError::own(
                OVERLOADED,
                format!("{WAITING_MAX} statements wait for a connection of this link"),
            )
        })?;
        let mut health = shared.health.subscribe();
        shared.check(&health.borrow_and_update())?;
        let permit = tokio::select! {
            permit = Arc::clone(&shared.permits).acquire_owned() => permit.map_err(|_| gone())?,
            Ok(health) = health.wait_for(|health| matches!(health, Health::Down { .. })) => {
                return Err(shared.check(&health).err().unwrap_or_else(gone));
            }
        };
        let session = match shared.idle_session() {
            Some(session) => session,
            None => shared.connect().await?,
        };
        Ok(Lease {
            shared: Arc::clone(shared),
            held: Some((session, permit)),
            left: Left::InOrder,
            runtime: Handle::current(),
        })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.keeper.abort();
        self.shared.permits.close();
        self.shared.idle().0 = None;
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle_session(&self) -> Option<Session> {
        let mut idle = self.idle();
        let sessions = idle.0.as_mut()?;
        std::iter::from_fn(|| sessions.pop()).find(|session| !session.is_closed())
    }

    /// Keeps a connection for the next call, unless the link is gone.
    fn put_back(&self, session: Session) {
        if let Some(sessions) = &mut self.idle().0 {
            sessions.push(session);
        }
    }

    fn check(&self, health: &Health) -> Result<(), QueryError> {
        match health {
            Health::Unknown | Health::Up => Ok(()),
            Health::Down { reason, .. } => Err(self.unavailable(reason)),
        }
    }

    fn unavailable(&self, reason: &str) -> QueryError {
        QueryError::own(UNAVAILABLE, format!("postgres at {}: {reason}", self.settings))
    }

    async fn open(&self) -> Result<Session, Failed> {
        match timeout(CONNECT_WAIT, Session::open(&self.settings, &self.tls)).await {
            Ok(opened) => opened.map_err(Failed::Said),
            Err(_) => Err(Failed::Silent),
        }
    }

    /// A new connection for a call that holds a permit.
    async fn connect(&self) -> Result<Session, QueryError> {
        let failed = match self.open().await {
            Ok(session) => return Ok(session),
            Err(failed) => failed,
        };
        if let Failed::Said(error) = &failed
            && fault::is_full(error)
        {
            return Err(QueryError::own(OVERLOADED, fault::reason(error)));
        }
        let reason = failed.reason();
        self.down(&failed);
        self.doubted.notify_one();
        Err(self.unavailable(&reason))
    }

    /// Notes that PostgreSQL is down, and lets go of connections that are of no use any more. Said in the log once per change.
    fn down(&self, failed: &Failed) {
        let (reason, refused) = (failed.reason(), failed.is_refusal());
        drop(self.idle().0.as_mut().map(std::mem::take));
        self.health.send_if_modified(|health| {
            if matches!(health, Health::Down { reason: known, .. } if *known == reason) {
                return false;
            }
            warn!(postgres = %self.settings, reason, "cannot connect");
            *health = Health::Down { reason, refused };
            true
        });
    }

    fn up(&self) {
        self.health.send_if_modified(|health| {
            let news = !matches!(health, Health::Up);
            if news {
                info!(postgres = %self.settings, "connected");
                *health = Health::Up;
            }
            news
        });
    }

    /// Finds out whether PostgreSQL is there, first and whenever it is doubted, and asks again until it is, for ever.
    async fn keep(&self) {
        loop {
            // The connection that this makes counts like any other.
            let Ok(permit) = self.permits.acquire().await else { return };
            // It takes the place of one that is idle, so that there are never more than the link may have.
            drop(self.idle_session());
            match self.open().await {
                Ok(session) => {
                    self.put_back(session);
                    self.up();
                    drop(permit);
                    self.doubted.notified().await;
                }
                Err(failed) => {
                    drop(permit);
                    match &failed {
                        Failed::Said(error) if fault::is_full(error) => self.up(),
                        _ => self.down(&failed),
                    }
                    sleep(RECONNECT_PAUSE).await;
                }
            }
        }
    }
}

/// Why there is no connection.
enum Failed {
    Said(Error),
    Silent,
}

impl Failed {
    fn reason(&self) -> String {
        match self {
            Self::Said(error) => fault::refusal(error).unwrap_or_else(|| fault::reason(error)),
            Self::Silent => format!("no answer within {CONNECT_WAIT:?}"),
        }
    }

    fn is_refusal(&self) -> bool {
        matches!(self, Self::Said(error) if fault::refusal(error).is_some())
    }
}

fn gone() -> QueryError {
    QueryError::own(UNAVAILABLE, "this link does not hold any more")
}

/// How a call leaves its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// As it was.
    InOrder,
    /// With nothing under way, but perhaps with a transaction open or settings changed.
    Changed,
    /// With a statement under way.
    Busy,
}

/// A connection in one call's hands. Dropping it gives it back as it was [`left`](Self::leave): whoever drops a call's future
/// leaves it busy, and its statement is cancelled.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    held: Option<(Session, OwnedSemaphorePermit)>,
    left: Left,
    runtime: Handle,
}

impl Lease {
    /// The connection, for a statement to run on. It counts as busy until [`leave`](Self::leave) says otherwise.
    pub(crate) fn start(&mut self) -> &mut Session {
        self.left = Left::Busy;
        let (session, _) = self.held.as_mut().expect("held until it is dropped");
        session
    }

    /// Says how the statement left the connection.
    pub(crate) fn leave(&mut self, left: Left) {
        self.left = left;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((session, permit)) = self.held.take() else { return };
        let shared = Arc::clone(&self.shared);
        match self.left {
            Left::InOrder if session.is_closed() => shared.doubted.notify_one(),
            Left::InOrder => shared.put_back(session),
            Left::Changed => drop(self.runtime.spawn(reset(shared, session, permit))),
            Left::Busy => drop(self.runtime.spawn(cancel(shared, session, permit))),
        }
    }
}

async fn reset(shared: Arc<Shared>, mut session: Session, permit: OwnedSemaphorePermit) {
    if session.reset().await {
        shared.put_back(session);
    } else {
        drop(session);
        shared.doubted.notify_one();
    }
    drop(permit);
}

async fn cancel(shared: Arc<Shared>, session: Session, permit: OwnedSemaphorePermit) {
    if !session.cancel().await {
        shared.doubted.notify_one();
    }
    drop(permit);
}

/// Waits for what a future gives, at most until `end`; none where the time is over.
pub(crate) async fn within<T>(end: Instant, future: impl Future<Output = T>) -> Option<T> {
    timeout_at(end, future).await.ok()
}
