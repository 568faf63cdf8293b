//! Migrations: files that bring a database's tables to what a link's caller expects, each applied once.
//!
//! What was applied is recorded in the database, with each file's hash, in a table that neither callers nor migrations reach. So a
//! file that was changed afterwards is found out, where two devices would otherwise have different tables of the same name.

mod folder;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::{Batch, Error as SqliteError, fallible_iterator::FallibleIterator};
use tracing::{info, warn};
use wattle_sql::Error;

use crate::{
    call::Ticket,
    connection::{OpenError, Purpose, Running, Session},
    failure::{commit_failure, failure},
    file::File,
    guard::Rule,
};
pub use folder::FolderError;
use folder::Migration;

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
    /// The folder, or what is in it.
    #[error("migrations: {0}")]
    Folder(#[from] FolderError),
    /// The database, ahead of any migration.
    #[error("migrations: {0}")]
    Open(#[from] OpenError),
    /// Its record of migrations.
    #[error("migrations: the database's record of them: {0}")]
    Record(SqliteError),
    /// The file is not what was applied.
    #[error("migration {0} was changed after it was applied: put it back, and write a new one")]
    Changed(String),
    /// It was applied, and is not there, while later ones are.
    #[error("migration {0} was applied to this database and is not in the folder")]
    Missing(String),
    /// A later one was applied already, perhaps on top of tables that this one would change.
    #[error("migration {0} comes ahead of {1}, which is applied: give it a later number")]
    TooLate(String, String),
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

/// What a database says was applied, by number.
type Applied = BTreeMap<u32, (String, String)>;

/// Applies what a folder has and the database has not, in order. Blocks the thread.
///
/// Migrations that are newer than the folder's newest are left alone: that is an application rolled back to an earlier version.
pub fn migrate(file: &File, folder: &Path) -> Result<(), MigrateError> {
    let migrations = folder::read(folder)?;
    let session = Session::open(file.path(), Purpose::Write { len_max: file.len_max() })?;
    let ticket = Arc::new(Ticket::new(Instant::now() + TIME_MAX));
    loop {
        // Another link's may have been applied since the last one.
        session.command("BEGIN IMMEDIATE").map_err(MigrateError::Record)?;
        let applied = applied(&session).map_err(MigrateError::Record)?;
        let Some(migration) = next(&migrations, &applied)? else { return Ok(()) };
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

/// What is to be applied next, if what was applied is what the folder has.
fn next<'m>(
    migrations: &'m [Migration],
    applied: &Applied,
) -> Result<Option<&'m Migration>, MigrateError> {
    let newest_here = migrations.last().map_or(0, |migration| migration.number);
    for (number, (name, hash)) in applied {
        match migrations.iter().find(|migration| migration.number == *number) {
            Some(here) if here.hash == *hash => {}
            Some(here) => return Err(MigrateError::Changed(here.name.clone())),
            None if *number > newest_here => {
                warn!(migration = name, "the database is ahead of this link's migrations");
            }
            None => return Err(MigrateError::Missing(name.clone())),
        }
    }
    let next = migrations.iter().find(|migration| !applied.contains_key(&migration.number));
    match (next, applied.last_key_value()) {
        (Some(next), Some((newest, (name, _)))) if next.number < *newest => {
            Err(MigrateError::TooLate(next.name.clone(), name.clone()))
        }
        (next, _) => Ok(next),
    }
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

fn line_of(text: &str, place: usize) -> usize {
    let end = text.floor_char_boundary(place.min(text.len()));
    text[..end].bytes().filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(number: u32, hash: &str) -> Migration {
        let name = format!("{number:04}_m.sql");
        Migration { number, name, hash: hash.to_owned(), text: String::new() }
    }

    fn applied(all: &[(u32, &str)]) -> Applied {
        let entry = |(number, hash): &(u32, &str)| {
            (*number, (format!("{number:04}_m.sql"), (*hash).to_owned()))
        };
        all.iter().map(entry).collect()
    }

    fn next_number(
        folder: &[Migration],
        done: &[(u32, &str)],
    ) -> Result<Option<u32>, MigrateError> {
        Ok(next(folder, &applied(done))?.map(|migration| migration.number))
    }

    #[test]
    fn the_first_that_is_new_comes_next_and_newer_ones_than_the_folder_s_are_left_alone() {
        let folder = [migration(1, "a"), migration(2, "b")];
        assert_eq!(next_number(&folder, &[]).expect("they fit"), Some(1));
        assert_eq!(next_number(&folder, &[(1, "a")]).expect("they fit"), Some(2));
        let ahead = [(1, "a"), (2, "b"), (3, "c")];
        assert_eq!(next_number(&folder, &ahead).expect("they fit"), None);
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        let folder = [migration(1, "a"), migration(3, "c")];
        assert!(matches!(next_number(&folder, &[(1, "x")]), Err(MigrateError::Changed(_))));
        let gone = next_number(&folder, &[(1, "a"), (2, "b")]);
        assert!(matches!(gone, Err(MigrateError::Missing(_))), "{gone:?}");
        let late = next_number(&folder, &[(1, "a"), (4, "d")]);
        assert!(matches!(late, Err(MigrateError::TooLate(_, _))), "{late:?}");
    }

    #[test]
    fn a_place_has_a_line() {
        for (place, line) in [(0, 1), (1, 1), (2, 2), (99, 3)] {
            assert_eq!(line_of("a\nb\nc", place), line, "{place}");
        }
    }
}
