//! One open connection to a database's file, with everything set that SQLite leaves open.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    pace::Pace,
};

/// How long a connection waits for another process, or a migration, to let go of the file.
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

/// A write-ahead log that grew past this, in bytes, is cut back when it is empty.
const LOG_LEN_KEPT: i64 = 16 * 1024 * 1024;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Read,
    /// The file may grow to so many bytes.
    Write {
        len_max: u64,
    },
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
}

impl Watch {
    fn new() -> Self {
        let pace = Mutex::new(Pace::from(Instant::now()));
        Self { running: ArcSwapOption::empty(), pace, company_until: ArcSwapOption::empty() }
    }

    fn begin(&self, ticket: &Arc<Ticket>) {
        *self.pace() = Pace::from(Instant::now());
        self.running.store(Some(Arc::clone(ticket)));
    }

    fn says_stop(&self) -> bool {
        self.pace().keep(Instant::now());
        self.running.load().as_ref().is_some_and(|ticket| ticket.is_over())
            || self.company_until.load().as_ref().is_some_and(|until| Instant::now() >= **until)
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
        set_up(&connection, purpose)?;
        let watch = Arc::new(Watch::new());
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

    /// An error with the guard's reason where the guard was the reason: SQLite calls some denials by other names.
    pub(crate) fn explained(&self, error: Error) -> Error {
        let heard = self.session.guard.heard();
        match &heard.denial {
            Some(denial) => Error::Denied(denial.clone()),
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
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
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

fn set_up(connection: &Connection, purpose: Purpose) -> Result<(), OpenError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    let set = |name, value| connection.pragma_update(None, name, value);
    connection.pragma_update_and_check(None, "hard_heap_limit", HEAP_LEN_MAX, |_| Ok(()))?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::NoLog(mode));
    }
    connection.pragma_update(None, "synchronous", "full")?; // every commit is on the disk
    match purpose {
        Purpose::Read => {
            connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, STATEMENT_LEN_MAX as i32 + 64)?;
            set("cache_size", -READER_CACHE_KIB)?;
            set("query_only", 1)?;
        }
        Purpose::Write { len_max } => {
            set("cache_size", -WRITER_CACHE_KIB)?;
            connection
                .pragma_update_and_check(None, "journal_size_limit", LOG_LEN_KEPT, |_| Ok(()))?;
            let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            let pages = i64::try_from(len_max).unwrap_or(i64::MAX) / page.max(1);
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
    }
    Ok(())
}
