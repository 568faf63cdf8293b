//! A link's migrations, applied. What was applied is recorded in the database, in a table that neither callers nor migrations reach.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::{Batch, Error as SqliteError, fallible_iterator::FallibleIterator};
use tracing::{info, warn};
use wattle_sql::{
    Error,
    migrations::{Applied, Migration, OrderError, Source, SourceError, line_of, next},
};

use crate::{
    call::Ticket,
    connection::{OpenError, Purpose, Running, Session},
    failure::{commit_failure, failure},
    file::File,
    guard::Rule,
};

/// How long all of a link's migrations may take: whoever put the link waits for its answer.
const TIME_MAX: Duration = Duration::from_secs(60);

const MAKE_RECORD: &str = "CREATE TABLE IF NOT EXISTS wattle_migrations (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL,
    applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP)";
const READ_RECORD: &str = "SELECT number, name, sha256 FROM wattle_migrations";
const WRITE_RECORD: &str =
    "INSERT INTO wattle_migrations (number, name, sha256) VALUES (?1, ?2, ?3)";

/// Why a link's migrations do not bring its database to where it should be.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// They cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database, ahead of any migration.
    #[error("migrations: {0}")]
    Open(#[from] OpenError),
    /// Its record of migrations.
    #[error("migrations: the database's record of them: {0}")]
    Record(SqliteError),
    /// They do not belong to what was applied.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// A statement of it failed, and nothing of it was applied.
    #[error("migration {name}, line {line}: {error}")]
    Failed {
        /// Its file.
        name: String,
        /// Where the statement is, or the error in it.
        line: usize,
        /// SQLite's words.
        error: Error,
    },
}

/// Applies those that the database has not had, in order. Blocks the thread.
pub fn migrate(file: &File, source: &Source) -> Result<(), MigrateError> {
    let migrations = source.read()?;
    let session = Session::open(file.path(), Purpose::Write { len_max: file.len_max() })?;
    let ticket = Arc::new(Ticket::new(Instant::now() + TIME_MAX));
    loop {
        // Another link's may have been applied since the last one.
        session.command("BEGIN IMMEDIATE").map_err(MigrateError::Record)?;
        let applied = applied(&session).map_err(MigrateError::Record)?;
        let Some(migration) = next(&migrations, &applied)? else {
            let newest = migrations.last().map(|migration| migration.number);
            if applied.last_key_value().map(|(number, _)| *number) > newest {
                warn!(path = %file.path().display(), "the database is ahead of this link's migrations");
            }
            return Ok(());
        };
        apply(&session, &ticket, migration)?;
        info!(migration = migration.name, path = %file.path().display(), "migration applied");
    }
}

/// Makes the record of migrations where there is none. It is there before anybody's first statement, so that no caller's table can
/// take its name.
pub(crate) fn make_record(session: &Session) -> Result<(), SqliteError> {
    session.command(MAKE_RECORD)
}

fn applied(session: &Session) -> Result<Applied, SqliteError> {
    let mut read = session.connection().prepare(READ_RECORD)?;
    let rows = read.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    rows.collect()
}

/// Applies one migration and records it, in the transaction that is open, and ends that. After an error nothing of it is left.
fn apply(
    session: &Session,
    ticket: &Arc<Ticket>,
    migration: &Migration,
) -> Result<(), MigrateError> {
    let rule = Arc::new(Rule::Migration);
    let running = session.enter(&rule, ticket);
    let ran = run(session, &running, &migration.text);
    drop(running);
    let failed = |(line, error)| MigrateError::Failed { name: migration.name.clone(), line, error };
    ran.map_err(failed)?;
    let Migration { number, name, hash, .. } = migration;
    session
        .connection()
        .execute(WRITE_RECORD, (number, name, hash))
        .map_err(MigrateError::Record)?;
    let last = migration.text.lines().count();
    session.command("COMMIT").map_err(|error| failed((last, commit_failure(error))))
}

/// Runs a migration's statements. An error comes with its line.
fn run(session: &Session, running: &Running<'_>, text: &str) -> Result<(), (usize, Error)> {
    let mut statements = Batch::new(session.connection(), text);
    let mut done = 0; // bytes of the text
    loop {
        let begins = text.len() - behind_comments(&text[done..]).len();
        running.begin_statement();
        let next = statements.next().map_err(|error| {
            let place = match &error {
                // What was left of the text, and where in it.
                SqliteError::SqlInputError { sql, offset, .. } => {
                    text.len() - sql.len() + usize::try_from(*offset).unwrap_or(0)
                }
                _ => begins,
            };
            (line_of(text, place), running.explained(failure(error)))
        })?;
        let Some(mut statement) = next else { return Ok(()) };
        // Without parameters it is the text that SQLite took, up to the next statement.
        done += statement.expanded_sql().map_or(0, |sql| sql.len());
        done = text.floor_char_boundary(done);
        // A migration may look at something, the rows are nobody's.
        let mut rows = statement.raw_query();
        let ran = loop {
            match rows.next() {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        ran.map_err(|error| (line_of(text, begins), running.explained(failure(error))))?;
    }
}

/// Where a statement itself begins.
fn behind_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix("--") {
        rest = comment.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
    }
    rest
}
