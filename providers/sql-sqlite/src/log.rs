//! A database's write-ahead log, kept short.
//!
//! SQLite begins a log anew when a change finds that nobody reads from it. Reads that overlap keep it from that for as long as some more
//! of them come, each well within its time, and the log grows. So where it has become long, changes wait until it is empty, and reads
//! that take their time end early. Where it does not get empty even so (another process reads, say), there are no changes past twice
//! that length: a disk has other users.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tracing::warn;
use wattle_sql::Error;

use crate::connection::Session;

/// The length of a log, in bytes, at which it has to become empty. It is reached in seconds at the earliest, so most reads end first.
const LEN_MAX: u64 = 256 * 1024 * 1024;

/// The part of the database's own limit that a log has where that is less.
const PART: u64 = 8;

/// What a log has at the least, in bytes: twice what SQLite empties by itself.
const LEN_MIN: u64 = 8 * 1024 * 1024;

/// How long a read may take while changes wait for the log. They wait some three times that at most: for reads that were there, for those
/// that began meanwhile, and for the log's way into the file.
const READ_TIME: Duration = Duration::from_secs(1);

/// After a wait in vain changes go on for so long until the next one.
const PAUSE: Duration = Duration::from_secs(10);

/// The length at which the log of a database has to become empty that may grow to so many bytes.
pub(crate) fn len_max(database_len_max: u64) -> u64 {
    LEN_MAX.min(database_len_max / PART).max(LEN_MIN)
}

/// A database's log, as those see it who read.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    len_max: u64,
    is_awaited: AtomicBool,
}

impl Log {
    /// The log of the database at this path, which may grow to so many bytes.
    pub(crate) fn of(database: &Path, database_len_max: u64) -> io::Result<Self> {
        // SQLite puts it beside the file itself, whatever leads there.
        let mut path = OsString::from(fs::canonicalize(database)?);
        path.push("-wal");
        let (len_max, is_awaited) = (len_max(database_len_max), AtomicBool::new(false));
        Ok(Self { path: path.into(), len_max, is_awaited })
    }

    /// Whether a read that has taken so long has to end, for the sake of changes.
    pub(crate) fn is_kept_by(&self, read: Duration) -> bool {
        read >= READ_TIME && self.is_awaited.load(Ordering::Relaxed)
    }

    fn len(&self) -> io::Result<u64> {
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            found => found.map(|found| found.len()),
        }
    }
}

/// The same, as it is seen by the one who changes.
#[derive(Debug)]
pub(crate) struct Keeper {
    log: Arc<Log>,
    wait_from: Instant,
}

impl Keeper {
    pub(crate) fn of(log: Arc<Log>) -> Self {
        Self { log, wait_from: Instant::now() }
    }

    /// Waits until the log is empty, if it is long. Called between two transactions; an error is what the next one is answered.
    pub(crate) fn keep_short(&mut self, session: &Session) -> Result<(), Error> {
        let disk = |error: io::Error| Error::Unavailable(format!("the disk: {error}"));
        let Log { path, len_max, is_awaited } = &*self.log;
        let len = self.log.len().map_err(disk)?;
        if len < *len_max {
            return Ok(());
        }
        if Instant::now() >= self.wait_from {
            is_awaited.store(true, Ordering::Relaxed);
            let emptied = session.empty_log();
            is_awaited.store(false, Ordering::Relaxed);
            match emptied {
                Ok(true) => return Ok(()),
                Ok(false) => warn!(log = %path.display(), len, "somebody keeps reading from it"),
                Err(reason) => warn!(log = %path.display(), len, %reason, "it stays long"),
            }
            self.wait_from = Instant::now() + PAUSE;
        }
        if len < len_max * 2 {
            return Ok(());
        }
        Err(Error::Unavailable("the database's log is full, and cannot be emptied now".to_owned()))
    }
}
