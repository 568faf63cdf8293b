//! Several statements: all of them, or none.

use wattle_core::call::Call;

use super::{assert_error, count, err, ok, table};
use crate::{Caller, Error, Statement, Value, limit::BATCH_MAX};

const NAME: &str = "conformance_batch";

pub(super) async fn run<C: Call>(sql: &Caller<C>) {
    table(sql, NAME, "id BIGINT PRIMARY KEY, parent BIGINT REFERENCES conformance_batch (id)")
        .await;
    a_batch_answers_what_each_statement_changed(sql).await;
    one_that_fails_takes_all_others_back(sql).await;
    nothing_is_a_batch_too(sql).await;
    a_batch_may_be_as_long_as_its_limit(sql).await;
}

fn insert(id: i64) -> Statement {
    Statement::new(format!("INSERT INTO {NAME} (id) VALUES ($1)"), vec![Value::Integer(id)])
}

async fn a_batch_answers_what_each_statement_changed<C: Call>(sql: &Caller<C>) {
    let all = Statement::new(format!("UPDATE {NAME} SET parent = 1"), vec![]);
    let none = Statement::new(format!("DELETE FROM {NAME} WHERE id = 77"), vec![]);
    let changed = ok("batch", sql.batch(vec![insert(1), insert(2), all, none])).await;
    assert_eq!(changed, [1, 1, 2, 0]);
}

async fn one_that_fails_takes_all_others_back<C: Call>(sql: &Caller<C>) {
    let before = count(sql, NAME).await;
    let twice = err("a key twice", sql.batch(vec![insert(10), insert(11), insert(10)])).await;
    match twice {
        Error::Constraint(violation) => {
            assert!(violation.message.starts_with("statement 3: "), "{violation:?}");
        }
        other => panic!("a key twice: {other:?}"),
    }
    let wrong = Statement::new("INSERT INTO conformance_nowhere VALUES (1)", vec![]);
    assert_error!(Invalid, "no table", sql.batch(vec![insert(10), wrong]));
    let rows = Statement::new(format!("SELECT id FROM {NAME}"), vec![]);
    assert_error!(Invalid, "rows in a batch", sql.batch(vec![insert(10), rows]));
    let end = Statement::new("COMMIT", vec![]);
    assert_error!(Denied, "an end of its own", sql.batch(vec![insert(10), end, insert(10)]));
    // Where a carriage return ends a comment, this would keep what comes ahead of it.
    let hidden = Statement::new("-- a\rCOMMIT /*\nSELECT 1 */", vec![]);
    assert_error!(Invalid, "a hidden end", sql.batch(vec![insert(10), hidden, insert(10)]));
    assert_eq!(count(sql, NAME).await, before);
}

async fn nothing_is_a_batch_too<C: Call>(sql: &Caller<C>) {
    assert_eq!(ok("batch", sql.batch(vec![])).await, [0; 0]);
}

async fn a_batch_may_be_as_long_as_its_limit<C: Call>(sql: &Caller<C>) {
    let many = |len: usize| (0..len).map(|n| insert(1_000 + n as i64)).collect::<Vec<_>>();
    let before = count(sql, NAME).await;
    assert_error!(TooLarge, "one more", sql.batch(many(BATCH_MAX + 1)));
    assert_eq!(count(sql, NAME).await, before);
    assert_eq!(ok("batch", sql.batch(many(BATCH_MAX))).await, [1; BATCH_MAX]);
    assert_eq!(count(sql, NAME).await, before + BATCH_MAX as i64);
}
