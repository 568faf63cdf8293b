//! A link's connections: at most so many, made when they are needed, and known to be down while they are.
//!
//! A pool of our own, because it has to know three things that ready-made ones do not tell apart: whether PostgreSQL is down, so
//! that calls fail at once; whether a connection's last statement is settled, so that one that was given up is cancelled before its
//! place is free; and which statements each connection has prepared, so that their number is bounded.

mod keeper;
mod lease;
mod places;
mod waiting;

use std::{sync::Arc, time::Duration};

use futures::FutureExt as _;
use tokio::{
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, timeout, timeout_at},
};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::{info, warn};
use wattle_postgres::{
    QueryError,
    error::{OVERLOADED, UNAVAILABLE},
};

use self::{
    keeper::Failed,
    places::{Places, Turn},
    waiting::WaitingBytes,
};
pub(crate) use self::{
    lease::{Lease, Left},
    places::Lane,
};
use crate::{fault, session::Session, settings::Settings, tls};

/// How long connecting and logging in may take together.
const CONNECT_WAIT: Duration = Duration::from_secs(1);

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
    places: Places,
    waiting: WaitingBytes,
    health: watch::Sender<Health>,
    doubted: Notify,
}

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
            places: Places::new(settings.pool_size),
            waiting: WaitingBytes::default(),
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

    /// A connection for one call, which takes so many bytes of memory while it waits. Fails at once while PostgreSQL is down. The caller
    /// bounds the wait.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(crate) async fn checkout(&self, bytes: usize) -> Result<Lease, QueryError> {
        let shared = &self.shared;
        shared.check(&shared.health.borrow())?;
        let mut place = match shared.turn(WAITING_MAX, bytes) {
            Turn::Now(place) => place,
            Turn::Later(place, _held) => match place.await {
                Ok(place) => place,
                Err(_) => {
                    return Err(shared.check(&shared.health.borrow()).err().unwrap_or_else(gone));
                }
            },
            Turn::Gone => return Err(gone()),
            Turn::Never => {
                let text = "too many statements, or too large ones, wait for a connection";
                return Err(QueryError::own(OVERLOADED, text));
            }
        };
        let is_good =
            |session: &Session| !session.is_closed() && !shared.places.is_better_here(session);
        if !place.session.as_deref().is_some_and(is_good) {
            // The old one goes first, so that there are never more than the link may have.
            place.session = None;
            // Boxed: it is rare, and each call's future would have room for it.
            place.session = Some(Box::new(Box::pin(shared.connect()).await?));
        }
        Ok(Lease::new(shared, place))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.keeper.abort();
        self.shared.places.close();
    }
}

impl Shared {
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
        match timeout(CONNECT_WAIT, Session::open(&self.settings, &self.tls, self.places.lane()))
            .await
        {
            Ok(opened) => opened.map_err(Failed::Said),
            Err(_) => Err(Failed::Silent),
        }
    }

    /// A new connection for a call that has a place.
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
        self.health.send_if_modified(|health| {
            if matches!(health, Health::Down { reason: known, .. } if *known == reason) {
                return false;
            }
            warn!(postgres = %self.settings, reason, "out of service");
            *health = Health::Down { reason, refused };
            true
        });
        self.places.clear();
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
}

fn gone() -> QueryError {
    QueryError::own(UNAVAILABLE, "this link does not hold any more")
}

/// Waits for what a future gives, at most until `end`; none where the time is over.
/// No async function, which would hold the future twice.
pub(crate) fn within<T>(
    end: Instant,
    future: impl Future<Output = T>,
) -> impl Future<Output = Option<T>> {
    timeout_at(end, future).map(Result::ok)
}
