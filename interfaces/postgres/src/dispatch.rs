//! The callee's side: bytes to a database's function and back, with limits checked on the way, for every provider alike.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use wattle_core::{
    CallError, ErrorKind, Operation,
    call::{PARAMS_LEN_MAX, unknown_function},
    codec::{self, DecodeError},
};

use crate::{
    Database, PreparedStatementExecError, QueryError, StatementPrepareError,
    error::TOO_LARGE,
    limit::{TOKEN_LEN_MAX, check_params, check_statement},
    operation,
    wire::{Exec, Prepare, Query, QueryBatch, ResultRow},
};

/// Runs one call on a link's database and answers the encoded result.
///
/// # Cancel safety
/// Dropping the future cancels the statement; it may have run.
pub async fn dispatch<D: Database>(
    database: &D,
    interface: &str,
    function: &str,
    params: &[u8],
    deadline: Instant,
) -> Result<Vec<u8>, CallError> {
    let called =
        |operation: Operation| operation.interface == interface && operation.function == function;
    let call = Dispatch { database, deadline };
    match () {
        () if called(operation::QUERY) => Ok(answer(call.query(decode(params)?).await)),
        () if called(operation::EXEC) => Ok(answer(call.exec(decode(params)?).await)),
        () if called(operation::PREPARE) => Ok(answer(call.prepare(decode(params)?).await)),
        () if called(operation::QUERY_BATCH) => Ok(answer(call.query_batch(decode(params)?).await)),
        () => Err(unknown_function(interface, function)),
    }
}

fn decode<'a, T: Deserialize<'a>>(params: &'a [u8]) -> Result<T, CallError> {
    codec::decode(params, PARAMS_LEN_MAX).map_err(|error| {
        let kind = match error {
            DecodeError::TooLarge { .. } => ErrorKind::TooLarge,
            DecodeError::Malformed(_) | DecodeError::Trailing => ErrorKind::Malformed,
        };
        CallError::new(kind, format!("parameters: {error}"))
    })
}

/// A result that does not fit in a message is an error in the WIT's words: it is the statement that has to be mended.
fn answer<T: Serialize, E: Serialize + From<QueryError>>(outcome: Result<T, E>) -> Vec<u8> {
    let result = codec::encode(&outcome);
    if result.len() <= PARAMS_LEN_MAX {
        return result;
    }
    let text = format!(
        "result of {} bytes, the limit is {PARAMS_LEN_MAX}: ask for fewer rows",
        result.len()
    );
    codec::encode(&Err::<T, E>(QueryError::own(TOO_LARGE, text).into()))
}

/// A database's futures are large, and boxed here: else they would be copied at each step of a call's way to them.
struct Dispatch<'a, D> {
    database: &'a D,
    deadline: Instant,
}

impl<D: Database> Dispatch<'_, D> {
    async fn query(
        &self,
        Query { query, params }: Query<'_>,
    ) -> Result<Vec<ResultRow>, QueryError> {
        check_statement(&query)?;
        check_params(&params)?;
        Box::pin(self.database.query(&query, params.into_owned(), self.deadline)).await
    }

    async fn query_batch(&self, QueryBatch { query }: QueryBatch<'_>) -> Result<(), QueryError> {
        check_statement(&query)?;
        Box::pin(self.database.query_batch(&query, self.deadline)).await
    }

    async fn prepare(&self, params: Prepare<'_>) -> Result<String, StatementPrepareError> {
        check_statement(&params.statement)?;
        Box::pin(self.database.prepare(&params.statement, self.deadline)).await
    }

    async fn exec(&self, params: Exec<'_>) -> Result<u64, PreparedStatementExecError> {
        let Exec { stmt_token, params } = params;
        check_params(&params)?;
        if stmt_token.len() > TOKEN_LEN_MAX {
            return Err(PreparedStatementExecError::UnknownPreparedQuery);
        }
        Box::pin(self.database.exec(&stmt_token, params.into_owned(), self.deadline)).await
    }
}
