//! What a provider implements: one link's database, after statements and limits were checked.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use crate::{
    Error,
    wire::{Changed, Rows, Statement},
};

/// A database as one link sees it.
///
/// [`dispatch`](crate::dispatch) calls each function once per call, many at the same time, with statements that are within the
/// link's limits. What a statement means only the database knows, so these are the provider's:
///
/// - the link's [`Scope`](crate::Scope), enforced inside the database (an authorizer, a role), not by reading the text. A provider that
///   cannot enforce a constraint must fail the link that has it;
/// - one statement per text: a second one is `Invalid`, as is an empty text;
/// - the time: at [`Allowance::until`] the statement is stopped in the database and answered with `Timeout`, wherever it waited;
/// - the result's size, for which there is [`Gathering`](crate::Gathering).
///
/// What was answered with `Ok` is as durable as the database makes it. After every error but `Interrupted` nothing was changed.
///
/// # Cancel safety
/// Dropping a function's future cancels its call, which may have run.
pub trait Database: Sync {
    /// The rows of one statement, which may change something as well.
    fn query(
        &self,
        statement: Statement,
        allowance: Allowance,
    ) -> impl Future<Output = Result<Rows, Error>> + Send;

    /// How many rows one statement inserted, updated or deleted. One that returns rows is `Invalid`.
    fn execute(
        &self,
        statement: Statement,
        allowance: Allowance,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// The same for several statements, at least one, in one transaction. An error is that of
    /// [one statement](Error::of_statement), where it is one's.
    fn batch(
        &self,
        statements: Vec<Statement>,
        allowance: Allowance,
    ) -> impl Future<Output = Result<Changed, Error>> + Send;
}

/// What one call may take.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// When the statement is stopped: the link's time limit or the caller's deadline, whichever is first.
    pub until: Instant,
    /// Rows of the result.
    pub rows_max: usize,
    /// Bytes of the result.
    pub result_len_max: usize,
}

impl Allowance {
    /// How much of its time is left.
    pub fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// What a statement is told that is stopped.
    pub fn timeout() -> Error {
        Error::Timeout("the statement took longer than the link or its caller allows".to_owned())
    }
}
