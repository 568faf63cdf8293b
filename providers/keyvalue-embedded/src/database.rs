//! A store's database. `redb` does no more with a file that has failed once, until it is closed and opened anew: so that a disk
//! which was full for a moment is not the end of a store, that is done here.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    mem,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use redb::{Database, DatabaseError};
use tracing::{error, info, warn};
use wattle_keyvalue::Failure;

use crate::OpenError;

/// Memory for pages of one file.
const CACHE_LEN: usize = 32 * 1024 * 1024;

/// Between a failure and the first call that has the file opened anew. It doubles with each failure up to the last, because a large
/// file takes seconds to mend, until something was written.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What a file's writer and its readers share.
pub(crate) struct Held {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    now: Now,
    pause: Duration,
}

enum Now {
    Open(Arc<Database>),
    Failed {
        /// What the system said first.
        reason: String,
        /// When the file may be opened anew. Nothing while somebody does so.
        next: Option<Instant>,
    },
}

impl Held {
    pub(crate) fn new(path: &Path, database: Database) -> Self {
        let now = Now::Open(Arc::new(database));
        Self { path: path.to_owned(), state: Mutex::new(State { now, pause: PAUSE }) }
    }

    /// The database, to be held for one read or one commit: a file is not opened anew while anybody holds it. Whoever comes first
    /// after the pause opens it, which blocks the thread; the others are told at once why there is none.
    pub(crate) fn get(&self) -> Result<Arc<Database>, Failure> {
        let mut state = self.state();
        let (reason, next) = match &mut state.now {
            Now::Open(database) => return Ok(Arc::clone(database)),
            Now::Failed { reason, next } => (unusable(reason), next),
        };
        if next.is_none_or(|next| Instant::now() < next) {
            return Err(reason);
        }
        *next = None;
        drop(state);
        let opened = open_again(&self.path);
        let mut state = self.state();
        match opened {
            Ok(database) => {
                info!(path = %self.path.display(), "a store is open again");
                let database = Arc::new(database);
                state.now = Now::Open(Arc::clone(&database));
                Ok(database)
            }
            Err(error) => {
                warn!(path = %self.path.display(), %error, "a store cannot be opened again yet");
                let after_pause = state.after_pause();
                if let Now::Failed { next, .. } = &mut state.now {
                    *next = Some(after_pause);
                }
                Err(reason)
            }
        }
    }

    /// What to say of a failure, to one who still holds the database. After one of the disk's nobody else gets it any more.
    pub(crate) fn failed(&self, error: &redb::Error) -> Failure {
        let mut state = self.state();
        if let Now::Failed { reason, .. } = &state.now {
            return unusable(reason);
        }
        let reason = error.to_string();
        error!(path = %self.path.display(), reason, "a store cannot be read or written");
        let failure = unusable(&reason);
        if matches!(error, redb::Error::Io(_) | redb::Error::PreviousIo) {
            let next = Some(state.after_pause());
            state.now = Now::Failed { reason, next };
        }
        failure
    }

    /// Something is on the disk.
    pub(crate) fn written(&self) {
        self.state().pause = PAUSE;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn after_pause(&mut self) -> Instant {
        let longer = (self.pause * 2).min(PAUSE_MAX);
        Instant::now() + mem::replace(&mut self.pause, longer)
    }
}

/// Opens a store's file, or makes it. Blocks the thread; after a crash, until the file is whole again.
pub(crate) fn open(path: &Path) -> Result<Database, OpenError> {
    if let Some(dir) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600); // another user of the machine has no business in it
    of_file(options.open(path)?)
}

/// The same for one that was there. It is not made where it is gone, as with a disk that was pulled out: that would be an empty
/// store in another place.
fn open_again(path: &Path) -> Result<Database, OpenError> {
    of_file(OpenOptions::new().read(true).write(true).open(path)?)
}

fn of_file(file: fs::File) -> Result<Database, OpenError> {
    match redb::Builder::new().set_cache_size(CACHE_LEN).create_file(file) {
        Ok(database) => Ok(database),
        Err(DatabaseError::DatabaseAlreadyOpen) => Err(OpenError::InUse),
        Err(error) => Err(OpenError::Damaged(error.into())),
    }
}

fn unusable(reason: &str) -> Failure {
    Failure::backend(format!("the disk: {reason}"))
}
