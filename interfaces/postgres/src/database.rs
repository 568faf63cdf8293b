//! What a provider implements: one link's database, after the call's shape and limits were checked.

use std::{future::Future, time::Instant};

use crate::{
    PgValue, PreparedStatementExecError, QueryError, StatementPrepareError, wire::ResultRow,
};

/// A database as one link sees it.
///
/// [`dispatch`](crate::dispatch) calls each function once per call, many at the same time. An answer has to come ahead of
/// `deadline`, after which nobody waits for it. Dropping a future cancels its statement, also in the database; it may have run.
pub trait Database: Sync {
    /// Runs one statement and gives its rows, which must fit in a message.
    fn query(
        &self,
        query: &str,
        params: Vec<PgValue>,
        deadline: Instant,
    ) -> impl Future<Output = Result<Vec<ResultRow>, QueryError>> + Send;

    /// Runs several statements. A transaction that they leave open is rolled back.
    fn query_batch(
        &self,
        query: &str,
        deadline: Instant,
    ) -> impl Future<Output = Result<(), QueryError>> + Send;

    /// Checks that a statement can be prepared, and gives a token that no other link can use or guess.
    fn prepare(
        &self,
        statement: &str,
        deadline: Instant,
    ) -> impl Future<Output = Result<String, StatementPrepareError>> + Send;

    /// Runs the statement that a token stands for, whichever connection it was prepared on and whether or not that is still
    /// there.
    fn exec(
        &self,
        token: &str,
        params: Vec<PgValue>,
        deadline: Instant,
    ) -> impl Future<Output = Result<u64, PreparedStatementExecError>> + Send;
}
