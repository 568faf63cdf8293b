//! The caller's side: typed functions over anything that carries calls.

use serde::{Serialize, de::DeserializeOwned};
use wattle_core::{
    CallError, ErrorKind, Operation,
    call::{Call, PARAMS_LEN_MAX},
    codec,
};

use crate::{
    PgValue, PreparedStatementExecError, QueryError, StatementPrepareError, operation,
    wire::{Exec, Prepare, Query, QueryBatch, ResultRow},
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
        let params = Query { query: query.to_owned(), params: params.to_vec() };
        self.run(operation::QUERY, &params).await
    }

    /// Runs several statements.
    pub async fn query_batch(&self, query: &str) -> Result<(), Failure<QueryError>> {
        self.run(operation::QUERY_BATCH, &QueryBatch { query: query.to_owned() }).await
    }

    /// Prepares a statement and answers its token.
    pub async fn prepare(&self, statement: &str) -> Result<String, Failure<StatementPrepareError>> {
        self.run(operation::PREPARE, &Prepare { statement: statement.to_owned() }).await
    }

    /// Runs a prepared statement and answers how many rows it changed.
    pub async fn exec(
        &self,
        token: &str,
        params: &[PgValue],
    ) -> Result<u64, Failure<PreparedStatementExecError>> {
        let params = Exec { stmt_token: token.to_owned(), params: params.to_vec() };
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
