//! One open connection to a database's file, with everything set that SQLite leaves open.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use rusqlite::{CachedStatement, Connection, OpenFlags, config::DbConfig, limits::Limit};
use wattle_sql::{
    Error,
    limit::{COLUMNS_MAX, PARAMS_MAX, STATEMENT_LEN_MAX},
};

use crate::{
    call::Ticket,
    failure::failure,
    guard::{Entered, Guard, Rule},
    log::{self, Log},
    pace::Pace,
};

/// How long a connection waits for another process, or a migration, to let go of the file, and for those who read to let go of its log.
const BUSY_TIME: Duration = Duration::from_secs(5);

/// Steps of SQLite's machine between two looks at the clock. One step may work on a whole value, so it is some 5 ms at most.
const STEPS: i32 = 100;

/// Prepared statements that a connection keeps.
const STATEMENTS_MAX: usize = 64;

/// The most bytes of a value, and of a row, within SQLite: twice what a message can carry.
const VALUE_LEN_MAX: i32 = 8 * 1024 * 1024;

/// The most bytes of a LIKE or GLOB pattern: comparing one takes its length times the text's, and the clock is not looked at meanwhile.
const PATTERN_LEN_MAX: i32 = 256;

/// Memory for the pages of one connection that reads, in KiB.
const READER_CACHE_KIB: i64 = 2 * 1024;

/// Memory for the pages of the connection that changes the file, in KiB.
const WRITER_CACHE_KIB: i64 = 8 * 1024;

/// A write-ahead log that grew past this, in bytes, is cut back when it begins anew; past half of its limit where that is less.
const LOG_LEN_KEPT: u64 = 16 * 1024 * 1024;

/// Memory that SQLite may take in this process, in bytes. A statement that would need more fails.
const HEAP_LEN_MAX: i64 = 512 * 1024 * 1024;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its folder, or a thread.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// SQLite's own words.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file system without shared memory, say.
    #[error("it cannot be kept with a write-ahead log here, only as {0:?}")]
    NoLog(String),
}

/// What a connection is for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    /// It ends early where changes wait for this log.
    Read(Arc<Log>),
    /// The file may grow to so many bytes.
    Write { len_max: u64 },
    /// The same, without foreign keys.
    Migrate { len_max: u64 },
}

/// A connection, and what decides about the statement that it runs.
#[derive(Debug)]
pub(crate) struct Session {
    connection: Connection,
    guard: Arc<Guard>,
    watch: Arc<Watch>,
}

/// What SQLite asks every few steps: whether to stop. Being asked, it lets others compute, too.
#[derive(Debug)]
struct Watch {
    running: ArcSwapOption<Ticket>,
    pace: Mutex<Pace>,
    /// Until when others let it run ahead of their own answers.
    company_until: ArcSwapOption<Instant>,
    /// The log that it reads from, if it is for reading.
    log: Option<Arc<Log>>,
    /// Whether it was stopped for the log's sake.
    gave_way: AtomicBool,
}

impl Watch {
    fn new(log: Option<Arc<Log>>) -> Self {
        Self {
            running: ArcSwapOption::empty(),
            pace: Mutex::new(Pace::from(Instant::now())),
            company_until: ArcSwapOption::empty(),
            log,
            gave_way: AtomicBool::new(false),
        }
    }

    fn begin(&self, ticket: &Arc<Ticket>) {
        *self.pace() = Pace::from(Instant::now());
        self.gave_way.store(false, Ordering::Relaxed);
        self.running.store(Some(Arc::clone(ticket)));
    }

    fn says_stop(&self) -> bool {
        let now = Instant::now();
        self.pace().keep(now);
        self.running.load().as_ref().is_some_and(|ticket| ticket.is_over())
            || self.company_until.load().as_ref().is_some_and(|until| Instant::now() >= **until)
            || self.gives_way(now)
    }

    fn gives_way(&self, now: Instant) -> bool {
        let gives_way = self.log.as_ref().is_some_and(|log| log.is_kept_by(self.pace().took(now)));
        if gives_way {
            self.gave_way.store(true, Ordering::Relaxed);
        }
        gives_way
    }

    /// Nobody else wants it: a connection's statements run one after the other.
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Opens a file that is there.
    pub(crate) fn open(path: &Path, purpose: Purpose) -> Result<Self, OpenError> {
        // Without URIs, whose parameters could change what is set here.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIME)?;
        harden(&connection)?;
        set_up(&connection, &purpose)?;
        let log = if let Purpose::Read(log) = purpose { Some(log) } else { None };
        let watch = Arc::new(Watch::new(log));
        let asked = Arc::clone(&watch);
        connection.progress_handler(STEPS, Some(move || asked.says_stop()))?;
        let guard = Guard::over(&mut connection)?;
        Ok(Self { connection, guard, watch })
    }

    /// From now on the connection's statements are judged by `rule` and stopped when the ticket says so.
    pub(crate) fn enter(&self, rule: &Arc<Rule>, ticket: &Arc<Ticket>) -> Running<'_> {
        self.watch.begin(ticket);
        Running { session: self, _entered: self.guard.enter(rule) }
    }

    /// Runs something that stops once it took this long, too.
    pub(crate) fn within<T>(&self, time: Duration, run: impl FnOnce() -> T) -> T {
        self.watch.company_until.store(Some(Arc::new(Instant::now() + time)));
        let done = run();
        self.watch.company_until.store(None);
        done
    }

    /// Runs a statement of the provider's own.
    pub(crate) fn command(&self, text: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(text)?.execute([]).map(drop)
    }

    /// Writes all that is in the log into the file, and empties it. Waits for those who read from it; false where they do not end.
    pub(crate) fn empty_log(&self) -> rusqlite::Result<bool> {
        let mut empty = self.connection.prepare_cached("PRAGMA wal_checkpoint(TRUNCATE)")?;
        let is_busy: bool = empty.query_row([], |row| row.get(0))?;
        Ok(!is_busy)
    }

    /// Whether no transaction is open.
    pub(crate) fn is_outside_transaction(&self) -> bool {
        self.connection.is_autocommit()
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// While this lives, a connection's statements are a call's.
#[must_use]
pub(crate) struct Running<'s> {
    session: &'s Session,
    _entered: Entered<'s>,
}

impl<'s> Running<'s> {
    /// Prepares one statement, if the rule allows it.
    pub(crate) fn prepare(&self, rule: &Rule, text: &str) -> Result<CachedStatement<'s>, Error> {
        let Session { connection, guard, .. } = self.session;
        guard.begin_statement();
        let prepared = connection
            .prepare_cached(&rule.own(text))
            .map_err(|error| self.explained(failure(error)))?;
        let unread = std::mem::take(&mut guard.heard().unread);
        for name in unread {
            let found = guard.aside(|| is_table(connection, &name)).map_err(failure)?;
            if found {
                prepared.discard();
                let text = format!("{name} is not among the tables of the link's constraint");
                return Err(Error::Denied(text));
            }
        }
        Ok(prepared)
    }

    /// Whether it has to stop, asked between two statements: within short ones SQLite does not ask.
    pub(crate) fn has_to_stop(&self) -> bool {
        self.session.watch.says_stop()
    }

    /// Forgets what the guard heard about the statement before.
    pub(crate) fn begin_statement(&self) {
        self.session.guard.begin_statement();
    }

    /// An error with the guard's reason where the guard was the reason, or the log's: SQLite calls some of them by other names.
    pub(crate) fn explained(&self, error: Error) -> Error {
        let gave_way = self.session.watch.gave_way.load(Ordering::Relaxed);
        let heard = self.session.guard.heard();
        match &heard.denial {
            Some(denial) => Error::Denied(denial.clone()),
            None if gave_way && matches!(error, Error::Timeout(_)) => Error::Conflict(
                "changes cannot go on while it reads: try again, or ask for less at a time"
                    .to_owned(),
            ),
            None => error,
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.session.watch.running.store(None);
    }
}

fn is_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    const FIND: &str = "SELECT 1 FROM sqlite_master WHERE name = ?1 COLLATE NOCASE";
    connection.prepare_cached(FIND)?.exists([name])
}

/// Closes what a hostile statement or a hostile file could use, and makes SQLite read quotes as other databases do.
fn harden(connection: &Connection) -> rusqlite::Result<()> {
    for (config, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
    ] {
        connection.set_db_config(config, value)?;
    }
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, VALUE_LEN_MAX),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_LEN_MAX),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        (Limit::SQLITE_LIMIT_COLUMN, COLUMNS_MAX as i32),
        (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, PARAMS_MAX as i32),
    ] {
        connection.set_limit(limit, value)?;
    }
    Ok(())
}

fn set_up(connection: &Connection, purpose: &Purpose) -> Result<(), OpenError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    let holds_references = !matches!(purpose, Purpose::Migrate { .. });
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, holds_references)?;
    let set = |name, value| connection.pragma_update(None, name, value);
    connection.pragma_update_and_check(None, "hard_heap_limit", HEAP_LEN_MAX, |_| Ok(()))?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::NoLog(mode));
    }
    connection.pragma_update(None, "synchronous", "full")?; // every commit is on the disk
    match *purpose {
        Purpose::Read(_) => {
            connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, STATEMENT_LEN_MAX as i32 + 64)?;
            set("cache_size", -READER_CACHE_KIB)?;
            set("query_only", 1)?;
        }
        Purpose::Write { len_max } | Purpose::Migrate { len_max } => {
            set("cache_size", -WRITER_CACHE_KIB)?;
            let kept = LOG_LEN_KEPT.min(log::len_max(len_max) / 2).cast_signed();
            connection.pragma_update_and_check(None, "journal_size_limit", kept, |_| Ok(()))?;
            let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let pages = i64::try_from(len_max).unwrap_or(i64::MAX) / page.max(1);
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
    }
    Ok(())
}
