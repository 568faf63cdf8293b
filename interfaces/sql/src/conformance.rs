//! What every provider of the contract must do, run by each against its real database, through the real encoding.
//!
//! A provider gives callers over links to one database; the suite says what is wrong by panicking, as tests do. Each check makes
//! tables of its own, whose names begin with `conformance_`, and drops what an earlier run has left.

mod batch;
mod changes;
mod constraints;
mod limits;
mod refusals;
mod scopes;
mod values;

use wattle_core::{Constraints, call::Call, link::Settings};

use crate::{Caller, Error, Failure, Rows, Value};

/// Constraints that a provider can hold a link to. One that it cannot must fail the link, which is for its own tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// The constraint `access`.
    pub access: bool,
    /// The constraint `tables`. The suite asks for such links once their tables are there.
    pub tables: bool,
}

/// Runs the whole suite. `caller` makes a caller over a link with these constraints and limits, always to the same database, in
/// which a link without constraints may make tables.
pub async fn run<C: Call>(
    caller: impl AsyncFn(Constraints, Settings) -> Caller<C>,
    abilities: Abilities,
) {
    let open = caller(Constraints::new(), Settings::new()).await;
    values::run(&open).await;
    changes::run(&open).await;
    batch::run(&open).await;
    constraints::run(&open).await;
    refusals::run(&open).await;
    limits::run(&open, &caller).await;
    scopes::run(&open, &caller, abilities).await;
}

/// Makes a table anew. `columns` is what stands between its parentheses.
async fn table<C: Call>(sql: &Caller<C>, name: &str, columns: &str) {
    ok("drop", sql.execute(&format!("DROP TABLE IF EXISTS {name}"), &[])).await;
    let make = format!("CREATE TABLE {name} ({columns})");
    assert_eq!(ok("create", sql.execute(&make, &[])).await, 0, "a new table changes no rows");
}

/// What a check expects of a statement that works.
async fn ok<T>(what: &str, answer: impl Future<Output = Result<T, Failure>>) -> T {
    match answer.await {
        Ok(value) => value,
        Err(failure) => panic!("{what}: {failure:?}"),
    }
}

/// What a check expects of a statement that does not.
async fn err<T>(what: &str, answer: impl Future<Output = Result<T, Failure>>) -> Error {
    match answer.await {
        Ok(_) => panic!("{what} was taken"),
        Err(Failure::Sql(error)) => error,
        Err(Failure::Call(error)) => panic!("{what}: not an answer but {error:?}"),
    }
}

/// The only value of a result.
fn only(rows: &Rows) -> &Value {
    match &rows.rows[..] {
        [row] if row.0.len() == 1 => &row.0[0],
        _ => panic!("not one value: {rows:?}"),
    }
}

/// How many rows a table has.
async fn count<C: Call>(sql: &Caller<C>, table: &str) -> i64 {
    let rows = ok("count", sql.query(&format!("SELECT count(*) FROM {table}"), &[])).await;
    match only(&rows) {
        Value::Integer(count) => *count,
        other => panic!("a count is no {other:?}"),
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

macro_rules! assert_error {
    ($kind:ident, $what:expr, $answer:expr $(,)?) => {
        match crate::conformance::err($what, $answer).await {
            crate::Error::$kind(_) => {}
            other => panic!("{}: {other:?}", $what),
        }
    };
}
use assert_error;
