//! The contract over a link's pool: which connection, for how long, and how it is left.

use std::time::{Duration, Instant};

use wattle_postgres::{
    Database, PgValue, PreparedStatementExecError, QueryError, StatementPrepareError,
    error::TIMEOUT, wire::ResultRow,
};

use crate::{
    Settings,
    fault::Fault,
    pool::{Lease, Left, Pool, within},
    prepared::Prepared,
    session::{Reading, Session},
};

/// How far ahead of its deadline a call is answered at the latest, so that its caller still hears why.
const ANSWER_MARGIN: Duration = Duration::from_millis(50);

/// One link's database.
pub struct PostgresDatabase {
    pool: Pool,
    prepared: Prepared,
}

/// When a statement has to be done, and by whose wish.
#[derive(Clone, Copy, Debug)]
struct End {
    at: Instant,
    reason: &'static str,
}

impl PostgresDatabase {
    /// Connects in the background. Fails where the settings' TLS cannot be set up.
    pub async fn start(settings: Settings) -> Result<Self, String> {
        Ok(Self { pool: Pool::start(settings).await?, prepared: Prepared::default() })
    }

    /// Why PostgreSQL refuses this login, if it does. Waits for the first attempt to connect.
    pub async fn refusal(&self) -> Option<String> {
        self.pool.refusal().await
    }

    fn end(&self, deadline: Instant) -> End {
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let deadline = deadline.checked_sub(ANSWER_MARGIN.min(left / 4)).unwrap_or(deadline);
        let limit = now + self.pool.settings().limits.statement_timeout;
        if limit < deadline {
            End { at: limit, reason: "the link's statement_timeout_ms" }
        } else {
            End { at: deadline, reason: "the call's deadline" }
        }
    }

    /// Runs something on a connection of the link's, and leaves that in order, or cancelled.
    async fn run<T>(
        &self,
        deadline: Instant,
        memory: usize,
        left: Left,
        statement: impl AsyncFnOnce(&mut Session) -> Result<T, Fault>,
    ) -> Result<T, QueryError> {
        let end = self.end(deadline);
        let Some(lease) = within(end.at.into(), self.pool.checkout(memory)).await else {
            return Err(QueryError::own(
                TIMEOUT,
                format!("no connection was free within {}", end.reason),
            ));
        };
        let mut lease: Lease = lease?;
        let Some(outcome) = within(end.at.into(), Box::pin(statement(lease.start()))).await else {
            return Err(QueryError::own(
                TIMEOUT,
                format!("the statement was cancelled: it took longer than {}", end.reason),
            ));
        };
        if !matches!(outcome, Err(Fault::Unsettled(_))) {
            lease.leave(left);
        }
        outcome.map_err(Fault::into_error)
    }
}

impl Database for PostgresDatabase {
    async fn query(
        &self,
        query: &str,
        params: Vec<PgValue>,
        deadline: Instant,
    ) -> Result<Vec<ResultRow>, QueryError> {
        let limits = self.pool.settings().limits;
        let reading = Reading::of_postgres(limits.rows, limits.result_bytes);
        let run = async |session: &mut Session| {
            session.query(query, &params, &reading).await.map(|(_columns, rows)| rows)
        };
        self.run(deadline, memory(query, &params), leaves(query), run).await
    }

    async fn query_batch(&self, query: &str, deadline: Instant) -> Result<(), QueryError> {
        let run = async |session: &mut Session| session.batch(query).await;
        self.run(deadline, memory(query, &[]), Left::Changed, run).await
    }

    async fn prepare(
        &self,
        statement: &str,
        deadline: Instant,
    ) -> Result<String, StatementPrepareError> {
        // A token stands for a text, and this one has been found to be a statement.
        if let Some(token) = self.prepared.known(statement) {
            return Ok(token);
        }
        let run = async |session: &mut Session| session.prepare(statement).await.map(drop);
        self.run(deadline, memory(statement, &[]), Left::InOrder, run).await?;
        Ok(self.prepared.token(statement))
    }

    async fn exec(
        &self,
        token: &str,
        params: Vec<PgValue>,
        deadline: Instant,
    ) -> Result<u64, PreparedStatementExecError> {
        let Some(text) = self.prepared.text(token) else {
            return Err(PreparedStatementExecError::UnknownPreparedQuery);
        };
        let run = async |session: &mut Session| session.execute(&text, &params).await;
        Ok(self.run(deadline, memory(&text, &params), leaves(&text), run).await?)
    }
}

/// About how much memory a statement takes while it waits, in bytes.
pub(crate) fn memory(text: &str, params: &[PgValue]) -> usize {
    text.len() + params.iter().map(PgValue::memory).sum::<usize>()
}

/// How a statement leaves its connection. Those that only read and write rows cannot open a transaction or change a setting in
/// passing; every other puts the connection in order afterwards, which costs some more round trips that nobody waits for.
pub(crate) fn leaves(statement: &str) -> Left {
    let first = statement.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
    let end = first.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(first.len());
    let is_one_of =
        |words: &[&str]| words.iter().any(|word| first[..end].eq_ignore_ascii_case(word));
    let is_plain = is_one_of(&["INSERT", "UPDATE", "DELETE", "MERGE"])
        || is_one_of(&["SELECT", "WITH", "VALUES", "TABLE"]) && !may_make_a_table(statement);
    if is_plain { Left::InOrder } else { Left::Changed }
}

/// Whether it may be a `SELECT … INTO TEMP …`, whose table would stay with the connection. It may be something else all the same.
fn may_make_a_table(statement: &str) -> bool {
    let mut words = statement
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty());
    let is = |word: &str, names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    words.any(|word| is(word, &["INTO"]))
        && words.any(|word| is(word, &["TEMP", "TEMPORARY", "PG_TEMP"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_change_a_session_is_put_in_order() {
        for plain in [
            "select 1",
            " \n(SELECT 1)",
            "WITH a AS (SELECT 1) TABLE a",
            "Insert into t",
            "insert into temp values (1)",
            "SELECT temp FROM cities",
            "WITH a AS (SELECT temp FROM b) INSERT INTO temperatures TABLE a",
        ] {
            assert_eq!(leaves(plain), Left::InOrder, "{plain}");
        }
        for other in [
            "SELECT 1 INTO TEMP a",
            "select 1 into/**/temporary a",
            "WITH b AS (SELECT 1) SELECT * INTO LOCAL TEMP a FROM b",
            "SELECT 1 INTO pg_temp.a",
            "BEGIN",
            "SET x = 1",
            "-- SELECT\nBEGIN",
            "/* */ SELECT 1",
            "",
            "selected",
            "DO $$",
        ] {
            assert_eq!(leaves(other), Left::Changed, "{other}");
        }
    }
}
