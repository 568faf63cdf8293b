//! The caller's side: typed functions over anything that carries calls.

use serde::{Serialize, de::DeserializeOwned};
use wattle_core::{
    CallError, ErrorKind, Operation,
    call::{Call, PARAMS_LEN_MAX},
    codec,
};

use crate::{
    PgValue, PreparedStatementExecError, QueryError, StatementPrepareError,
    error::{INTERRUPTED, OVERLOADED, TIMEOUT, TOO_LARGE, UNAVAILABLE},
    limit::{check_params, check_statement},
    operation,
    wire::{Exec, Prepare, Query, QueryBatch, ResultRow, Rows},
};

/// How a function fails: the database said so, or the call did not come through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure<E: std::error::Error> {
    /// The provider answered, and this is what it said.
    #[error(transparent)]
    Database(E),
    /// The call failed: it was denied, say, or its callee could not be reached.
    #[error("{0}")]
    Call(CallError),
}

impl<E: std::error::Error + From<QueryError>> Failure<E> {
    /// How an actor reads it: the one place where the router's kinds become the WIT's words. It has none for a denial, or for
    /// parameters of another shape: those stay failed calls.
    pub fn into_words(self) -> Result<E, CallError> {
        let error = match self {
            Self::Database(error) => return Ok(error),
            Self::Call(error) => error,
        };
        let word = match error.kind {
            ErrorKind::Denied | ErrorKind::Malformed => return Err(error),
            ErrorKind::NotFound | ErrorKind::Unavailable => UNAVAILABLE,
            ErrorKind::Overloaded => OVERLOADED,
            ErrorKind::TooLarge => TOO_LARGE,
            ErrorKind::DeadlineExceeded => TIMEOUT,
            ErrorKind::Interrupted | ErrorKind::Cancelled => INTERRUPTED,
            kind @ (ErrorKind::Trapped | ErrorKind::LimitExceeded | ErrorKind::Failed) => {
                kind.as_str()
            }
        };
        Ok(QueryError::own(word, error.message).into())
    }
}

/// Calls a database over one link.
///
/// # Cancel safety
/// Dropping a function's future cancels its statement, which may have run.
#[derive(Clone, Debug)]
pub struct Caller<C> {
    call: C,
}

impl<C: Call> Caller<C> {
    /// A caller over what carries its calls.
    pub fn new(call: C) -> Self {
        Self { call }
    }

    /// Runs one statement and answers its rows.
    pub async fn query(
        &self,
        query: &str,
        params: &[PgValue],
    ) -> Result<Vec<ResultRow>, Failure<QueryError>> {
        check_statement(query).map_err(Failure::Database)?;
        check_params(params).map_err(Failure::Database)?;
        let params = Query { query: query.into(), params: params.into() };
        self.run(operation::QUERY, &params).await.map(|Rows(rows)| rows)
    }

    /// Runs several statements.
    pub async fn query_batch(&self, query: &str) -> Result<(), Failure<QueryError>> {
        check_statement(query).map_err(Failure::Database)?;
        self.run(operation::QUERY_BATCH, &QueryBatch { query: query.into() }).await
    }

    /// Prepares a statement and answers its token.
    pub async fn prepare(&self, statement: &str) -> Result<String, Failure<StatementPrepareError>> {
        let checked = check_statement(statement).map_err(StatementPrepareError::from);
        checked.map_err(Failure::Database)?;
        self.run(operation::PREPARE, &Prepare { statement: statement.into() }).await
    }

    /// Runs a prepared statement and answers how many rows it changed.
    pub async fn exec(
        &self,
        token: &str,
        params: &[PgValue],
    ) -> Result<u64, Failure<PreparedStatementExecError>> {
        let checked = check_params(params).map_err(PreparedStatementExecError::from);
        checked.map_err(Failure::Database)?;
        let params = Exec { stmt_token: token.into(), params: params.into() };
        self.run(operation::EXEC, &params).await
    }

    async fn run<T: DeserializeOwned, E: DeserializeOwned + std::error::Error>(
        &self,
        operation: Operation,
        params: &impl Serialize,
    ) -> Result<T, Failure<E>> {
        let params = codec::encode(params);
        if params.len() > PARAMS_LEN_MAX {
            let text =
                format!("parameters of {} bytes, the limit is {PARAMS_LEN_MAX}", params.len());
            return Err(Failure::Call(CallError::new(ErrorKind::TooLarge, text)));
        }
        let result = self.call.call(operation, params).await.map_err(Failure::Call)?;
        let outcome: Result<T, E> = codec::decode(&result, PARAMS_LEN_MAX).map_err(|error| {
            let text = format!("the database's answer: {error}");
            Failure::Call(CallError::new(ErrorKind::Failed, text))
        })?;
        outcome.map_err(Failure::Database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_reads_in_the_contract_s_words_why_a_call_failed() {
        let words = |kind| Failure::<QueryError>::Call(CallError::new(kind, "why")).into_words();
        for (kind, text) in [
            (ErrorKind::NotFound, "unavailable: why"),
            (ErrorKind::Unavailable, "unavailable: why"),
            (ErrorKind::Overloaded, "overloaded: why"),
            (ErrorKind::TooLarge, "too-large: why"),
            (ErrorKind::DeadlineExceeded, "timeout: why"),
            (ErrorKind::Interrupted, "interrupted: why"),
            (ErrorKind::Cancelled, "interrupted: why"),
            (ErrorKind::Trapped, "trapped: why"),
            (ErrorKind::LimitExceeded, "limit-exceeded: why"),
            (ErrorKind::Failed, "failed: why"),
        ] {
            assert_eq!(words(kind), Ok(QueryError::Unexpected(text.to_owned())));
        }
        for kind in [ErrorKind::Denied, ErrorKind::Malformed] {
            assert_eq!(words(kind), Err(CallError::new(kind, "why")));
        }
    }

    #[test]
    fn what_the_database_said_stays_as_it_is() {
        let said = PreparedStatementExecError::UnknownPreparedQuery;
        assert_eq!(Failure::Database(said.clone()).into_words(), Ok(said));
    }
}
