//! Links as the host puts them, with the encoding in between.

use std::time::{Duration, Instant};

use wattle_core::{CallError, Operation, call::Call, link::Settings};
use wattle_postgres::{Caller, Failure, Links, PgValue, QueryError, error::UNAVAILABLE};
use wattle_sql_postgres::PostgresDatabase;

/// How long each call may take where the test does not say.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A link to a database. It goes with this.
pub(crate) struct Link {
    links: Links<PostgresDatabase>,
    deadline: Duration,
}

impl Call for Link {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<bytes::Bytes, CallError> {
        let Operation { interface, function } = operation;
        let deadline = Instant::now() + self.deadline;
        self.links.dispatch(1, interface, function, &params, deadline).await.map(Into::into)
    }
}

/// A caller over a new link, once it is connected or known not to be.
pub(crate) async fn caller(settings: Settings) -> Caller<Link> {
    caller_within(settings, DEADLINE).await
}

/// The same, whose calls may take so long.
pub(crate) async fn caller_within(settings: Settings, deadline: Duration) -> Caller<Link> {
    let database = link(&settings).await.expect("a link");
    let links = Links::default();
    links.put(1, database);
    Caller::new(Link { links, deadline })
}

/// A link's database, or why it does not hold.
pub(crate) async fn link(settings: &Settings) -> Result<PostgresDatabase, String> {
    let settings = wattle_sql_postgres::Settings::new(settings, &Settings::new());
    let database = PostgresDatabase::start(settings.map_err(|error| error.to_string())?).await?;
    database.refusal().await.map_or(Ok(database), Err)
}

/// The only value of a statement without parameters.
pub(crate) async fn value<C: Call>(
    database: &Caller<C>,
    query: &str,
) -> Result<PgValue, QueryError> {
    match database.query(query, &[]).await {
        Ok(mut rows) => Ok(rows.remove(0).remove(0).value),
        Err(Failure::Database(error)) => Err(error),
        Err(Failure::Call(error)) => panic!("the call failed, which would trap an actor: {error}"),
    }
}

/// Whether PostgreSQL is known to be down. What was under way as it went away fails otherwise.
pub(crate) async fn is_down<C: Call>(database: &Caller<C>) -> bool {
    matches!(value(database, "SELECT 1").await, Err(error) if error.code() == Some(UNAVAILABLE))
}

/// What a failed statement's error starts with.
pub(crate) async fn code<C: Call>(database: &Caller<C>, query: &str) -> String {
    let error = value(database, query).await.expect_err(query);
    error.code().unwrap_or_else(|| panic!("{error:?}")).to_owned()
}
