//! The contract without a database: what its messages look like, and what dispatch lets through.

#[path = "contract/wire.rs"]
mod wire;

use std::{
    pin::pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use wattle_core::{ErrorKind, Operation, codec};
use wattle_sql::{
    Allowance, Database, Error, Gathering, INTERFACES, Limits, Links, Rows, Statement, Value,
    limit::{BATCH_MAX, PARAMS_MAX, STATEMENT_LEN_MAX},
    operation,
    wire::{Batch, Changed, Outcome},
};

/// Answers every query with its own parameters, and notes how long it may take.
#[derive(Default)]
struct Echo {
    left: Mutex<Vec<Duration>>,
}

impl Database for Echo {
    async fn query(&self, statement: Statement, allowance: Allowance) -> Result<Rows, Error> {
        self.left.lock().expect("no test panics with it").push(allowance.left());
        let names = statement.params.iter().map(|_| "p".to_owned()).collect();
        let mut rows = Gathering::new(names, allowance)?;
        rows.push(statement.params)?;
        Ok(rows.finish())
    }

    async fn execute(&self, statement: Statement, _: Allowance) -> Result<u64, Error> {
        Err(Error::Other("x".repeat(statement.text.len() * 1_000)))
    }

    async fn batch(&self, statements: Vec<Statement>, _: Allowance) -> Result<Changed, Error> {
        Ok(vec![1; statements.len()])
    }
}

#[test]
fn a_caller_without_manners_is_held_to_the_same_limits() {
    let limits = Limits::default();
    let query = |text: &str, params: usize| {
        let statement = Statement::new(text, vec![Value::Null; params]);
        call::<Rows>(limits, operation::QUERY, &codec::encode(&statement)).map(drop)
    };
    assert_eq!(query("SELECT 1", 1), Ok(()));
    let long = format!("SELECT {}", " ".repeat(STATEMENT_LEN_MAX));
    assert!(matches!(query(&long, 0), Err(Fails::Sql(Error::TooLarge(_)))));
    assert_eq!(query("SELECT 1", PARAMS_MAX + 1), Err(Fails::Call(ErrorKind::Malformed)));
    assert!(matches!(query("COMMIT", 0), Err(Fails::Sql(Error::Denied(_)))));
    assert!(matches!(query("SELECT '\0'", 0), Err(Fails::Sql(Error::Invalid(_)))));
}

#[test]
fn a_batch_is_held_to_its_limits_and_an_empty_one_asks_nobody() {
    let batch = |limits, len: usize, params: usize| {
        let one = Statement::new("DELETE FROM t", vec![Value::Null; params]);
        let params = codec::encode(&Batch { statements: vec![one; len] });
        call::<Changed>(limits, operation::BATCH, &params)
    };
    let limits = Limits::default();
    assert_eq!(batch(limits, 0, 0), Ok(vec![]));
    assert_eq!(batch(limits, BATCH_MAX, 0), Ok(vec![1; BATCH_MAX]));
    assert_eq!(batch(limits, BATCH_MAX + 1, 0), Err(Fails::Call(ErrorKind::Malformed)));
    assert_eq!(batch(limits, 11, PARAMS_MAX), Err(Fails::Call(ErrorKind::Malformed)), "in all");
    let lowered = batch(Limits { batch_max: 2, ..limits }, 3, 0);
    assert!(matches!(lowered, Err(Fails::Sql(Error::TooLarge(_)))), "{lowered:?}");
}

#[test]
fn a_result_past_the_link_s_limit_is_an_answer_and_no_failure() {
    let limits = Limits { result_len_max: 1_000, ..Limits::default() };
    let ask = |len| {
        let statement = Statement::new("SELECT $1", vec![Value::Blob(vec![7; len])]);
        call::<Rows>(limits, operation::QUERY, &codec::encode(&statement))
    };
    assert!(ask(900).is_ok());
    assert!(matches!(ask(1_000), Err(Fails::Sql(Error::TooLarge(_)))));
}

#[test]
fn a_database_s_words_are_cut_and_stay_what_they_are() {
    let statement = codec::encode(&Statement::new("DELETE FROM t", vec![]));
    match call::<u64>(Limits::default(), operation::EXECUTE, &statement) {
        Err(Fails::Sql(Error::Other(message))) => assert!(message.len() < 3_000),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_statement_has_the_link_s_time_and_less_than_its_caller() {
    let echo = Echo::default();
    let time_max = Duration::from_secs(5);
    let limits = Limits { time_max, ..Limits::default() };
    let statement = codec::encode(&Statement::new("SELECT 1", vec![]));
    let Operation { interface, function } = operation::QUERY;
    for waits in [60, 2] {
        let deadline = Instant::now() + Duration::from_secs(waits);
        let asked = wattle_sql::dispatch(&echo, &limits, interface, function, &statement, deadline);
        ready(asked).expect("an answer");
    }
    let left = echo.left.lock().expect("no test panics with it").clone();
    assert!(left[0] <= time_max && left[0] > Duration::from_secs(4), "{left:?}");
    assert!(left[1] < Duration::from_secs(2) && left[1] > Duration::from_secs(1), "{left:?}");
}

#[test]
fn parameters_of_no_shape_or_another_are_malformed() {
    for params in [&b""[..], b"\xc1", b"\xc0", &codec::encode("text"), &codec::encode(&(1, 2, 3))] {
        for operation in [operation::QUERY, operation::EXECUTE, operation::BATCH] {
            let answer = call::<()>(Limits::default(), operation, params);
            assert_eq!(answer, Err(Fails::Call(ErrorKind::Malformed)), "{operation}");
        }
    }
}

#[test]
fn what_the_contract_does_not_have_is_not_found() {
    for (interface, function) in
        [("wattle:sql/sql", "prepare"), ("wattle:sql/types", "query"), ("", "")]
    {
        let answer = call::<()>(Limits::default(), Operation { interface, function }, b"");
        assert_eq!(answer, Err(Fails::Call(ErrorKind::NotFound)));
    }
}

#[test]
fn a_link_that_is_gone_is_denied() {
    let links = Links::<Echo>::default();
    links.put(1, Limits::default(), Echo::default());
    links.delete(1);
    let Operation { interface, function } = operation::QUERY;
    let answer = ready(links.dispatch(1, interface, function, b"", Instant::now()));
    assert_eq!(answer.expect_err("no link").kind, ErrorKind::Denied);
}

#[test]
fn every_operation_is_of_an_interface_that_a_link_can_grant() {
    for operation in [operation::QUERY, operation::EXECUTE, operation::BATCH] {
        assert!(INTERFACES.contains(&operation.interface), "{operation}");
    }
}

/// How a call ends that does not succeed.
#[derive(Debug, PartialEq)]
enum Fails {
    Sql(Error),
    Call(ErrorKind),
}

fn call<T: serde::de::DeserializeOwned>(
    limits: Limits,
    operation: Operation,
    params: &[u8],
) -> Result<T, Fails> {
    let links = Links::default();
    links.put(7, limits, Echo::default());
    let Operation { interface, function } = operation;
    let deadline = Instant::now() + Duration::from_secs(10);
    let answer = ready(links.dispatch(7, interface, function, params, deadline));
    let result = answer.map_err(|error| Fails::Call(error.kind))?;
    let outcome: Outcome<T> = codec::decode(&result, result.len()).expect("an answer");
    outcome.map_err(Fails::Sql)
}

/// What a future gives that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("an echo waits for nothing"),
    }
}
