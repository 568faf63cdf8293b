//! The callee's side: bytes to a database's function and back, with limits checked on the way, for every provider alike.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use wattle_core::{
    CallError, Operation,
    call::{PARAMS_LEN_MAX, unknown_function},
    codec,
};

use crate::{
    Allowance, Database, Error, Limits,
    error::malformed_params,
    limit::check_message,
    operation,
    verb::check_verb,
    wire::{Batch, Changed, Outcome, Rows, Statement},
};

/// A statement is stopped this much ahead of its call's deadline, so that its typed answer still reaches the caller.
const ANSWER_TIME: Duration = Duration::from_millis(50);

/// Runs one call on a link's database and answers the encoded result.
///
/// # Cancel safety
/// Dropping the future cancels the call; it may have run.
pub async fn dispatch<D: Database>(
    database: &D,
    limits: &Limits,
    interface: &str,
    function: &str,
    params: &[u8],
    deadline: Instant,
) -> Result<Vec<u8>, CallError> {
    let called =
        |operation: Operation| operation.interface == interface && operation.function == function;
    let call = Dispatch { database, limits, allowance: allowance(limits, deadline) };
    match () {
        () if called(operation::QUERY) => answer(call.query(decode(params)?).await),
        () if called(operation::EXECUTE) => answer(call.execute(decode(params)?).await),
        () if called(operation::BATCH) => answer(call.batch(decode(params)?).await),
        () => Err(unknown_function(interface, function)),
    }
}

fn decode<'a, T: Deserialize<'a>>(params: &'a [u8]) -> Result<T, CallError> {
    codec::decode(params, PARAMS_LEN_MAX).map_err(|error| malformed_params(&error))
}

fn answer<T: Serialize>(outcome: Outcome<T>) -> Result<Vec<u8>, CallError> {
    let result = codec::encode(&outcome.map_err(Error::shortened));
    match check_message("the result", result.len()) {
        Ok(()) => Ok(result),
        Err(error) => Ok(codec::encode(&Outcome::<T>::Err(error))),
    }
}

fn allowance(limits: &Limits, deadline: Instant) -> Allowance {
    let now = Instant::now();
    let left = deadline.saturating_duration_since(now);
    // A call with little time left gives up a tenth of it.
    let until_deadline = left.saturating_sub(ANSWER_TIME.min(left / 10));
    Allowance {
        until: now + limits.time_max.min(until_deadline),
        rows_max: limits.rows_max,
        result_len_max: limits.result_len_max,
    }
}

/// A database's futures are large, and boxed here: else they would be copied at each step of a call's way to them.
struct Dispatch<'a, D> {
    database: &'a D,
    limits: &'a Limits,
    allowance: Allowance,
}

impl<D: Database> Dispatch<'_, D> {
    fn check(&self, statement: &Statement) -> Result<(), Error> {
        self.limits.check_statement(statement)?;
        check_verb(&statement.text)
    }

    async fn query(&self, statement: Statement) -> Result<Rows, Error> {
        self.check(&statement)?;
        Box::pin(self.database.query(statement, self.allowance)).await
    }

    async fn execute(&self, statement: Statement) -> Result<u64, Error> {
        self.check(&statement)?;
        Box::pin(self.database.execute(statement, self.allowance)).await
    }

    async fn batch(&self, Batch { statements }: Batch) -> Result<Changed, Error> {
        self.limits.check_batch(statements.len())?;
        for (index, statement) in statements.iter().enumerate() {
            self.check(statement).map_err(|error| error.of_statement(index))?;
        }
        if statements.is_empty() {
            return Ok(Changed::new());
        }
        Box::pin(self.database.batch(statements, self.allowance)).await
    }
}
