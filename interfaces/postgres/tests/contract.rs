//! The contract's own tests: its bytes, its names, and what a caller without manners gets.

#[path = "contract/canned.rs"]
mod canned;
#[path = "contract/wire.rs"]
mod wire;
#[path = "contract/wit.rs"]
mod wit;

use std::{
    collections::BTreeMap,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use canned::Canned;
use wattle_core::{CallError, ErrorKind, Operation, call::Call, codec};
use wattle_postgres::{
    Caller, Failure, INTERFACES, Links, PgValue, PreparedStatementExecError, QueryError,
    check_constraints,
    error::TOO_LARGE,
    limit::{PARAMS_MAX, STATEMENT_LEN_MAX},
    operation,
};

/// A link to a database that answers what it was asked.
struct Link(Links<Canned>);

impl Call for Link {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<bytes::Bytes, CallError> {
        let Operation { interface, function } = operation;
        self.0.dispatch(7, interface, function, &params, soon()).await.map(Into::into)
    }
}

#[test]
fn a_caller_reads_what_the_database_said() {
    let database = caller();
    let rows = ready(database.query("SELECT $1", &[PgValue::Int4(7)])).expect("a row");
    assert_eq!(rows[0][0].column_name, "SELECT $1");
    assert_eq!(rows[0][0].value, PgValue::Int4(7));
    assert_eq!(ready(database.query_batch("one; two")), Ok(()));
    let token = ready(database.prepare("a statement")).expect("a token");
    assert_eq!(ready(database.exec(&token, &[const { PgValue::Null }; 3])), Ok(3));
    let unknown = Failure::Database(PreparedStatementExecError::UnknownPreparedQuery);
    assert_eq!(ready(database.exec("another", &[])), Err(unknown));
}

#[test]
fn what_does_not_fit_in_a_message_is_an_error_that_the_actor_reads() {
    let database = caller();
    let rows = ready(database.query("big", &[])).expect_err("too much");
    assert!(
        matches!(&rows, Failure::Database(error) if error.code() == Some(TOO_LARGE)),
        "{rows:?}"
    );
    let long = "x".repeat(STATEMENT_LEN_MAX + 1);
    let failed = ready(database.query_batch(&long)).expect_err("too long");
    assert!(matches!(failed, Failure::Database(QueryError::InvalidQuery(_))), "{failed:?}");
    assert!(ready(database.prepare(&long)).is_err());
    let many = vec![PgValue::Null; PARAMS_MAX + 1];
    let failed = ready(database.query("SELECT 1", &many)).expect_err("too many");
    assert!(matches!(failed, Failure::Database(QueryError::InvalidParams(_))), "{failed:?}");
    let large = [PgValue::TextArray(vec![String::new(); 2_000_000])];
    let failed = ready(database.query("SELECT 1", &large)).expect_err("too large to be read");
    assert!(matches!(failed, Failure::Database(QueryError::InvalidParams(_))), "{failed:?}");
    let token = "t".repeat(1_000);
    let unknown = Failure::Database(PreparedStatementExecError::UnknownPreparedQuery);
    assert_eq!(ready(database.exec(&token, &[])), Err(unknown));
}

#[test]
fn a_caller_without_manners_is_held_to_the_same_limits() {
    let query =
        |params: usize| codec::encode(&Loose { query: "SELECT 1", params: vec!["null"; params] });
    assert_eq!(call(operation::QUERY, &query(PARAMS_MAX)), Ok(()));
    assert_eq!(call(operation::QUERY, &query(PARAMS_MAX + 1)), Err(ErrorKind::Malformed));
    let text = "x".repeat(STATEMENT_LEN_MAX + 1);
    let long = codec::encode(&Loose { query: &text, params: vec![] });
    for operation in [operation::QUERY, operation::QUERY_BATCH] {
        let answer = answer(operation, &long).expect("an error in the contract's words");
        let refused: Result<(), QueryError> = codec::decode(&answer, 1_000).expect("an error");
        assert!(matches!(refused, Err(QueryError::InvalidQuery(_))), "{refused:?}");
    }
}

#[test]
fn parameters_of_no_shape_or_another_are_malformed() {
    for params in [&b""[..], b"\xc1", b"\xc0", &codec::encode("text"), &codec::encode(&(1, 2, 3))] {
        for operation in all_operations() {
            assert_eq!(call(operation, params), Err(ErrorKind::Malformed), "{operation}");
        }
    }
}

#[test]
fn what_the_contract_does_not_have_is_not_found() {
    for (interface, function) in [
        ("wasmcloud:postgres/query", "exec"),
        ("wasmcloud:postgres/prepared", "query"),
        ("wasmcloud:postgres/types", "query"),
        ("", ""),
    ] {
        assert_eq!(call(Operation { interface, function }, b""), Err(ErrorKind::NotFound));
    }
}

#[test]
fn a_link_that_is_gone_is_denied() {
    let links = Links::default();
    links.put(1, Canned);
    links.delete(1);
    let Operation { interface, function } = operation::QUERY;
    let error = ready(links.dispatch(1, interface, function, b"", soon())).expect_err("no link");
    assert_eq!(error.kind, ErrorKind::Denied);
}

#[test]
fn every_operation_is_of_an_interface_that_a_link_can_grant() {
    for operation in all_operations() {
        assert!(INTERFACES.contains(&operation.interface), "{operation}");
    }
}

#[test]
fn a_constraint_fails_the_link_and_says_what_to_do() {
    assert_eq!(check_constraints(&BTreeMap::new()), Ok(()));
    let tables = [("tables".to_owned(), vec!["carts".to_owned()])].into();
    let error = check_constraints(&tables).expect_err("it cannot be held").to_string();
    assert!(error.contains("tables") && error.contains("database user"), "{error}");
}

#[derive(serde::Serialize)]
struct Loose<'a> {
    query: &'a str,
    params: Vec<&'a str>,
}

fn all_operations() -> [Operation; 4] {
    use operation::*;
    [QUERY, QUERY_BATCH, PREPARE, EXEC]
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(1)
}

fn caller() -> Caller<Link> {
    let links = Links::default();
    links.put(7, Canned);
    Caller::new(Link(links))
}

fn call(operation: Operation, params: &[u8]) -> Result<(), ErrorKind> {
    answer(operation, params).map(drop).map_err(|error| error.kind)
}

fn answer(operation: Operation, params: &[u8]) -> Result<Vec<u8>, CallError> {
    let links = Links::default();
    links.put(7, Canned);
    let Operation { interface, function } = operation;
    ready(links.dispatch(7, interface, function, params, soon()))
}

/// What a future gives that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("canned answers wait for nothing"),
    }
}
