//! A link's migrations, applied on a connection of its own pool before anybody calls.
//!
//! What was applied is recorded in `wattle_migrations`, in the schema that the login makes its tables in. Each migration runs in a
//! transaction of its own, under a lock of the database's, so that hosts that start at once apply each of them once.

use std::time::Duration;

use tokio::{task::spawn_blocking, time::Instant};
use tokio_postgres::{
    Client, Error, SimpleQueryMessage,
    error::{DbError, ErrorPosition},
};
use tracing::{info, warn};
use wattle_sql::migrations::{Applied, Migration, OrderError, Source, SourceError, line_of, next};

use crate::{
    fault::{self, Fault},
    pool::within,
    session::Session,
};

/// How long all of a link's migrations may take, others' that come first included: whoever put the link waits for its answer.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Read committed, so that what is read behind the lock is what others did ahead of it; and the lock, which ends with the
/// transaction. Its number is "wattle" in ASCII.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(x'776174746c65'::bigint)";

/// Where the login makes its tables.
const SCHEMA: &str = "SELECT quote_ident(current_schema())";

/// Why a link's migrations do not bring its database to where it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrateError {
    /// They cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// They do not belong to what was applied.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The login can make no tables.
    #[error(
        "migrations: the login has no schema to make tables in: see its search_path and rights"
    )]
    NoSchema,
    /// The database's record of migrations.
    #[error("migrations: the database's record of them: {0}")]
    Record(String),
    /// A statement of it failed, and nothing of it was applied.
    #[error("migration {name}{}: {reason}", line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Failed {
        /// Its file.
        name: String,
        /// Where the error is, if PostgreSQL says so.
        line: Option<usize>,
        /// SQLSTATE and PostgreSQL's words.
        reason: String,
    },
    /// They, or others' that came first, are not done in time.
    #[error("migrations: they take longer than {TIME_MAX:?}")]
    Late,
    /// PostgreSQL went away meanwhile.
    #[error("migrations: {0}")]
    Broken(String),
}

impl MigrateError {
    /// Whether they have to be applied once PostgreSQL is back.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self, Self::Broken(_))
    }

    fn record(error: Error) -> Self {
        match Fault::from(error) {
            Fault::Unsettled(error) => Self::Broken(error.text().to_owned()),
            settled => Self::Record(settled.into_error().text().to_owned()),
        }
    }
}

/// Applies those that the database has not had, in order, and gives the connection back as good as new.
pub(crate) async fn migrate(
    mut session: Session,
    source: &Source,
) -> Result<Session, MigrateError> {
    let source = source.clone();
    let migrations = spawn_blocking(move || source.read()).await;
    let migrations = migrations.map_err(|panic| MigrateError::Broken(panic.to_string()))??;
    match within(Instant::now() + TIME_MAX, apply_all(&mut session, &migrations)).await {
        Some(Ok(())) if session.reset().await => Ok(session),
        Some(Ok(())) => Err(MigrateError::Broken("the connection to postgres broke".to_owned())),
        Some(Err(error)) => Err(error),
        None => {
            session.cancel().await;
            Err(MigrateError::Late)
        }
    }
}

async fn apply_all(session: &mut Session, migrations: &[Migration]) -> Result<(), MigrateError> {
    let schema = one(session.client(), SCHEMA).await.map_err(MigrateError::record)?;
    let record = format!("{}.wattle_migrations", schema.ok_or(MigrateError::NoSchema)?);
    loop {
        let client = session.client();
        client.batch_execute(BEGIN).await.map_err(MigrateError::record)?;
        let applied = applied(client, &record).await.map_err(MigrateError::record)?;
        let Some(migration) = next(migrations, &applied)? else {
            let newest = migrations.last().map(|migration| migration.number);
            if applied.keys().last().copied() > newest {
                warn!("the database is ahead of this link's migrations");
            }
            return Ok(()); // what is open is taken back with the session's state
        };
        apply(client, migration, &record).await?;
        info!(migration = migration.name, "migration applied");
        // What it set must not be there for the next.
        if !session.reset().await {
            return Err(MigrateError::Broken("the connection to postgres broke".to_owned()));
        }
    }
}

/// What was applied. The record is made where there is none and the transaction goes on to apply something; it is only asked for
/// its existence otherwise, as the login may have no right to make anything.
async fn applied(client: &Client, record: &str) -> Result<Applied, Error> {
    let exists = format!("SELECT to_regclass({})", literal(record));
    if one(client, &exists).await?.is_none() {
        let make = format!(
            "CREATE TABLE {record} (number integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, \
             applied_at timestamptz NOT NULL DEFAULT now())"
        );
        client.batch_execute(&make).await?;
    }
    let rows = client.query(&format!("SELECT number, name, sha256 FROM {record}"), &[]).await?;
    let entry = |row: &tokio_postgres::Row| {
        let number: i32 = row.try_get(0)?;
        Ok((number.unsigned_abs(), (row.try_get(1)?, row.try_get(2)?)))
    };
    rows.iter().map(entry).collect()
}

/// Applies one migration and records it, in the transaction that is open, and ends that. After an error nothing of it is left.
async fn apply(client: &Client, migration: &Migration, record: &str) -> Result<(), MigrateError> {
    let Migration { number, name, hash, text } = migration;
    client.batch_execute(&inside(text)).await.map_err(|error| failed(migration, &error))?;
    let insert = format!("INSERT INTO {record} (number, name, sha256) VALUES ($1, $2, $3)");
    let number = i32::try_from(*number).expect("four digits");
    client.execute(&insert, &[&number, name, hash]).await.map_err(MigrateError::record)?;
    client.batch_execute("COMMIT").await.map_err(|error| failed(migration, &error))
}

/// A migration as one statement, in which PostgreSQL refuses `COMMIT` and the like: with one of its own, a migration would be there
/// and not in the record. What ends its text is beyond guessing.
fn inside(text: &str) -> String {
    let (outer, inner) = (rand::random::<u128>(), rand::random::<u128>());
    format!("DO $w{outer:x}$BEGIN EXECUTE $w{inner:x}${text}$w{inner:x}$; END$w{outer:x}$")
}

fn failed(migration: &Migration, error: &Error) -> MigrateError {
    let Some(said) = error.as_db_error() else {
        return MigrateError::Broken("the connection to postgres broke".to_owned());
    };
    let Migration { name, text, .. } = migration;
    let line = place(said, text).map(|place| line_of(text, place));
    let mut reason = fault::said(said);
    if said.routine() == Some("exec_stmt_dynexecute") {
        reason.push_str(
            ": a migration is one transaction, without BEGIN, COMMIT and COPY of its own",
        );
    }
    MigrateError::Failed { name: name.clone(), line, reason }
}

/// Where in a migration an error is, in bytes; PostgreSQL counts characters, from 1, and only within what it was asked to run.
fn place(said: &DbError, text: &str) -> Option<usize> {
    match said.position()? {
        ErrorPosition::Internal { position, query } if query == text => {
            let before = usize::try_from(*position).ok()?.checked_sub(1)?;
            Some(text.char_indices().nth(before).map_or(text.len(), |(place, _)| place))
        }
        _ => None,
    }
}

/// The only value of a query, as text.
async fn one(client: &Client, query: &str) -> Result<Option<String>, Error> {
    let messages = client.simple_query(query).await?;
    Ok(messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

/// The session's strings are as it was opened, so that only quotes have a meaning.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
