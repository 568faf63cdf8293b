//! Finds out whether PostgreSQL is there, and brings its tables to where the link needs them before anybody calls.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;
use tokio_postgres::Error;

use super::{CONNECT_WAIT, Shared, places::Turn};
use crate::{
    fault,
    migrations::{self, MigrateError},
    session::Session,
};

/// Between two attempts to connect to a PostgreSQL that is down.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);

/// Between two attempts to apply migrations, of which one failed while nobody waited for the link.
const MIGRATE_PAUSE: Duration = Duration::from_secs(5);

impl Shared {
    /// Connects and applies the link's migrations, and looks again whenever it is doubted that PostgreSQL is there, for ever.
    pub(super) async fn keep(self: &Arc<Self>) {
        let mut is_migrated = false;
        loop {
            // The connection that this makes counts like any other.
            let mut place = match self.turn(usize::MAX, 0) {
                Turn::Now(place) => place,
                // What waits is sent away when PostgreSQL is found to be down; then its place is free.
                Turn::Later(place, _) => match place.await {
                    Ok(place) => place,
                    Err(_) => continue,
                },
                Turn::Never | Turn::Gone => return,
            };
            // It takes the place of one that is idle, so that there are never more than the link may have.
            place.session = None;
            let opened = match self.open().await {
                Ok(session) if !is_migrated => self.migrate(session).await,
                opened => opened,
            };
            match opened {
                Ok(session) => {
                    is_migrated = true;
                    place.session = Some(Box::new(session));
                    drop(place);
                    self.up();
                    self.doubted.notified().await;
                }
                Err(failed) => {
                    drop(place);
                    if is_migrated && failed.is_full() {
                        self.up();
                    } else {
                        self.down(&failed);
                    }
                    sleep(failed.pause()).await;
                }
            }
        }
    }

    async fn migrate(&self, session: Session) -> Result<Session, Failed> {
        let Some(source) = &self.settings.migrations else { return Ok(session) };
        migrations::migrate(session, source).await.map_err(Failed::Migrating)
    }
}

/// Why there is no connection.
pub(super) enum Failed {
    /// PostgreSQL's word, or the network's.
    Said(Error),
    /// It did not answer in time.
    Silent,
    /// There is one, and the tables are not as the link needs them.
    Migrating(MigrateError),
}

impl Failed {
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Said(error) => fault::refusal(error).unwrap_or_else(|| fault::reason(error)),
            Self::Silent => format!("no answer within {CONNECT_WAIT:?}"),
            Self::Migrating(error) => error.to_string(),
        }
    }

    /// Whether asking again will not help.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Said(error) => fault::refusal(error).is_some(),
            Self::Silent => false,
            Self::Migrating(error) => !error.is_outage(),
        }
    }

    fn is_full(&self) -> bool {
        matches!(self, Self::Said(error) if fault::is_full(error))
    }

    fn pause(&self) -> Duration {
        if matches!(self, Self::Migrating(_)) { MIGRATE_PAUSE } else { RECONNECT_PAUSE }
    }
}
