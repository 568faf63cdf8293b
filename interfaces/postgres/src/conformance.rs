//! What every provider of the contract must do, run by each against its real database, through the real encoding.
//!
//! A provider gives callers over links to one database, whose user may create tables and the extension `hstore`; the suite
//! says what is wrong by panicking, as tests do. Its tables start with `wattle_conformance_`.

mod errors;
mod prepared;
mod samples;
mod statements;
mod types;

use wattle_core::call::Call;

use crate::{Caller, Failure, PgValue, QueryError, wire::ResultRow};

/// Runs the whole suite. `caller` makes a caller over a new link, always to the same database.
pub async fn run<C: Call>(caller: impl AsyncFn() -> Caller<C>) {
    let (one, other) = (caller().await, caller().await);
    types::run(&one).await;
    statements::run(&one).await;
    errors::run(&one).await;
    prepared::run(&one, &other).await;
}

/// What a check expects of a database that works.
async fn ok<T, E: std::error::Error>(
    what: &str,
    answer: impl Future<Output = Result<T, Failure<E>>>,
) -> T {
    match answer.await {
        Ok(value) => value,
        Err(failure) => panic!("{what}: {failure:?}"),
    }
}

/// What the database, or its provider, said against it.
async fn refused<T, E: std::error::Error>(
    what: &str,
    answer: impl Future<Output = Result<T, Failure<E>>>,
) -> E {
    match answer.await {
        Err(Failure::Database(error)) => error,
        Err(Failure::Call(error)) => panic!("{what}: the call failed: {error}"),
        Ok(_) => panic!("{what} was taken"),
    }
}

/// The only value of the only row.
#[track_caller]
fn one_value(rows: Vec<ResultRow>) -> PgValue {
    let [row] = <[ResultRow; 1]>::try_from(rows).expect("one row");
    row.into_iter().next().expect("one column").value
}

/// Runs a statement that gives one value.
async fn value<C: Call>(database: &Caller<C>, query: &str, params: &[PgValue]) -> PgValue {
    one_value(ok(query, database.query(query, params)).await)
}

fn text(text: &str) -> PgValue {
    PgValue::Text(text.to_owned())
}

/// Panics unless the error is of this case and code.
#[track_caller]
fn assert_invalid_query(error: &QueryError, code: &str) {
    assert!(matches!(error, QueryError::InvalidQuery(_)), "{error:?}");
    assert_eq!(error.code(), Some(code), "{error:?}");
}
