//! Changes that share a transaction, and do not share its fate.

use std::sync::Arc;

use tokio::task::JoinSet;
use wattle_core::{Constraints, link::Settings};
use wattle_sql::{Error, Failure, Statement, Value, ViolationKind};

use crate::{
    error, execute,
    link::{caller, callers, file, set},
    number,
};

/// Each of them undoes the transaction that it is in, with everybody else's changes.
const TAKES_ALL_DOWN: &str = "INSERT OR ROLLBACK INTO t (id) VALUES (1)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_takes_the_transaction_down_falls_alone() {
    const CALLS: i64 = 200;
    let dir = tempfile::tempdir().expect("a folder");
    let sql = Arc::new(caller(file(dir.path())));
    execute(&sql, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
    execute(&sql, "INSERT INTO t (id) VALUES (1)").await;
    let mut calls = JoinSet::new();
    for id in 2..2 + CALLS {
        let sql = Arc::clone(&sql);
        calls.spawn(async move {
            if id % 4 == 0 {
                return assert!(is_unique_violation(sql.execute(TAKES_ALL_DOWN, &[]).await));
            }
            let id = [Value::Integer(id)];
            let insert = sql.execute("INSERT INTO t (id) VALUES ($1)", &id);
            assert_eq!(insert.await, Ok(1), "{id:?}");
        });
    }
    calls.join_all().await;
    assert_eq!(number(&sql, "SELECT count(*) FROM t").await, 1 + CALLS * 3 / 4);
}

fn is_unique_violation<T>(answer: Result<T, Failure>) -> bool {
    matches!(error(answer), Error::Constraint(violation) if violation.kind == ViolationKind::Unique)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_stopped_takes_no_other_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let caller = callers(file(dir.path()));
    let open = Arc::new(caller(Constraints::new(), Settings::new()));
    let hasty = caller(Constraints::new(), set("statement_timeout_ms", "200"));
    execute(&open, "CREATE TABLE t (id INTEGER)").await;
    let endless = "INSERT INTO t WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x FROM n";
    let mut inserts = JoinSet::new();
    for _ in 0..50 {
        let open = Arc::clone(&open);
        inserts.spawn(async move { open.execute("INSERT INTO t VALUES (7)", &[]).await });
    }
    let stopped = error(hasty.execute(endless, &[]).await);
    assert!(matches!(stopped, Error::Timeout(_)), "{stopped:?}");
    assert!(inserts.join_all().await.iter().all(|answer| *answer == Ok(1)));
    assert_eq!(number(&open, "SELECT count(*) FROM t").await, 50);
}

/// A constraint that waits for the end of the transaction fails at a moment when others are in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_waits_for_the_commit_fails_its_own_call() {
    let dir = tempfile::tempdir().expect("a folder");
    let sql = Arc::new(caller(file(dir.path())));
    execute(&sql, "CREATE TABLE p (id INTEGER PRIMARY KEY)").await;
    let child = "CREATE TABLE c (p INTEGER REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)";
    execute(&sql, child).await;
    let mut calls = JoinSet::new();
    for n in 0..60 {
        let sql = Arc::clone(&sql);
        calls.spawn(async move {
            if n % 3 == 0 {
                let orphan = error(sql.execute("INSERT INTO c VALUES (-1)", &[]).await);
                let foreign = |kind| kind == ViolationKind::ForeignKey;
                return assert!(matches!(orphan, Error::Constraint(v) if foreign(v.kind)));
            }
            let both = ["INSERT INTO c VALUES ($1)", "INSERT INTO p VALUES ($1)"];
            let both = both.map(|text| Statement::new(text, vec![Value::Integer(n)]));
            assert_eq!(sql.batch(both.to_vec()).await, Ok(vec![1, 1]), "in either order");
        });
    }
    calls.join_all().await;
    assert_eq!(number(&sql, "SELECT count(*) FROM c JOIN p ON c.p = p.id").await, 40);
    assert_eq!(number(&sql, "SELECT count(*) FROM c").await, 40);
}

#[tokio::test]
async fn a_statement_that_was_kept_sees_the_schema_change() {
    let dir = tempfile::tempdir().expect("a folder");
    let sql = caller(file(dir.path()));
    execute(&sql, "CREATE TABLE t (a INTEGER)").await;
    let all = async || sql.query("SELECT * FROM t", &[]).await.expect("rows");
    assert_eq!(all().await.columns, ["a"]);
    execute(&sql, "ALTER TABLE t ADD COLUMN b BOOLEAN").await;
    assert_eq!(all().await.columns, ["a", "b"]);
    execute(&sql, "INSERT INTO t VALUES (1, TRUE)").await;
    let found = all().await;
    assert_eq!(found.rows[0].0, [Value::Integer(1), Value::Boolean(true)]);
}
