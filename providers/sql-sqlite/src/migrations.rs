//! A link's migrations, applied. What was applied is recorded in the database, in a table that neither callers nor migrations reach.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::{Batch, Error as SqliteError, ErrorCode, fallible_iterator::FallibleIterator};
use tracing::{info, warn};
use wattle_sql::{
    Error, ViolationKind,
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
    /// Others change the database for too long.
    #[error("migrations: others kept changing the database for {TIME_MAX:?}")]
    Late,
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
    let session = Session::open(file.path(), Purpose::Migrate { len_max: file.len_max() })?;
    let ticket = Arc::new(Ticket::new(Instant::now() + TIME_MAX));
    loop {
        // Looked at without a lock first: a link that brings nothing new waits for nobody's change.
        let before = applied(&session).map_err(MigrateError::Record)?;
        if next(&migrations, &before)?.is_none() {
            let newest = migrations.last().map(|migration| migration.number);
            if before.last_key_value().map(|(number, _)| *number) > newest {
                warn!(path = %file.path().display(), "the database is ahead of this link's migrations");
            }
            return Ok(());
        }
        begin(&session, &ticket)?;
        // Another link's may have been applied meanwhile.
        let applied = applied(&session).map_err(MigrateError::Record)?;
        match next(&migrations, &applied)? {
            Some(migration) => {
                apply(&session, &ticket, migration)?;
                info!(migration = migration.name, path = %file.path().display(), "migration applied");
            }
            None => session.command("ROLLBACK").map_err(MigrateError::Record)?,
        }
    }
}

/// Begins a transaction, once others' changes have ended.
fn begin(session: &Session, ticket: &Ticket) -> Result<(), MigrateError> {
    loop {
        // It waits by itself, and not for long.
        let begun = session.command("BEGIN IMMEDIATE");
        let is_busy =
            |error: &SqliteError| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
        match begun {
            Err(error) if is_busy(&error) && !ticket.is_over() => {}
            Err(error) if is_busy(&error) => return Err(MigrateError::Late),
            begun => return begun.map_err(MigrateError::Record),
        }
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
    let changes = |session: &Session| {
        let counted =
            session.connection().query_row("SELECT total_changes()", [], |row| row.get(0));
        counted.map_err(MigrateError::Record)
    };
    let before: i64 = changes(session)?;
    let rule = Arc::new(Rule::Migration);
    let running = session.enter(&rule, ticket);
    let ran = run(session, &running, &migration.text);
    drop(running);
    let failed = |(line, error)| MigrateError::Failed { name: migration.name.clone(), line, error };
    ran.map_err(failed)?;
    let last = migration.text.lines().count();
    if changes(session)? != before || may_orphan(&migration.text) {
        check_references(session, ticket).map_err(|error| failed((last, error)))?;
    }
    let Migration { number, name, hash, .. } = migration;
    session
        .connection()
        .execute(WRITE_RECORD, (number, name, hash))
        .map_err(MigrateError::Record)?;
    session.command("COMMIT").map_err(|error| failed((last, commit_failure(error))))
}

/// Whether a migration that changes no row may leave one that refers to none. To look at every row takes a large database long, and a
/// table or a column that is added needs it not.
fn may_orphan(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("drop") || (text.contains("alter") && text.contains("references"))
}

/// Fails where a row refers to none. Foreign keys are off while a migration runs: SQLite has a table rebuilt by dropping it, and with
/// them that would delete what refers to its rows.
fn check_references(session: &Session, ticket: &Arc<Ticket>) -> Result<(), Error> {
    let _running = session.enter(&Arc::new(Rule::Provider), ticket);
    let found = session.connection().query_row("PRAGMA foreign_key_check", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?, row.get::<_, String>(2)?))
    });
    match found {
        Err(SqliteError::QueryReturnedNoRows) => Ok(()),
        Err(error) => Err(failure(error)),
        Ok((table, rowid, parent)) => {
            let row = rowid.map_or("a row".to_owned(), |rowid| format!("row {rowid}"));
            let text = format!(
                "{row} of {table} refers to no row of {parent}: nothing cascades in a migration"
            );
            Err(Error::violation(ViolationKind::ForeignKey, text))
        }
    }
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
