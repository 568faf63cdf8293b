//! Changes: how many, seen by whom, and none lost.

use futures::future::join_all;
use wattle_core::call::Call;

use super::{ok, only, table, text};
use crate::{Caller, Error, Failure, Value};

const NAME: &str = "conformance_changes";
const COUNTER: &str = "conformance_counter";

pub(super) async fn run<C: Call>(sql: &Caller<C>) {
    a_change_says_how_many_rows_it_changed(sql).await;
    a_query_may_change_rows_and_answer_them(sql).await;
    changes_at_once_are_not_lost(sql).await;
}

async fn a_change_says_how_many_rows_it_changed<C: Call>(sql: &Caller<C>) {
    table(sql, NAME, "id BIGINT PRIMARY KEY, t TEXT").await;
    let insert = format!("INSERT INTO {NAME} (id, t) VALUES (1, 'a'), (2, 'b'), (3, 'c')");
    assert_eq!(ok("insert", sql.execute(&insert, &[])).await, 3);
    let update = format!("UPDATE {NAME} SET t = $1 WHERE id >= $2");
    let changed = ok("update", sql.execute(&update, &[text("x"), Value::Integer(2)])).await;
    assert_eq!(changed, 2);
    let nothing = ok("update", sql.execute(&update, &[text("x"), Value::Integer(9)])).await;
    assert_eq!(nothing, 0, "nobody is past the end");
    let delete = format!("DELETE FROM {NAME} WHERE t = 'x'");
    assert_eq!(ok("delete", sql.execute(&delete, &[])).await, 2);
    let again = format!("INSERT INTO {NAME} (id, t) VALUES (1, 'y') ON CONFLICT (id) DO NOTHING");
    assert_eq!(ok("insert", sql.execute(&again, &[])).await, 0, "it is there");
    let index = format!("CREATE INDEX {NAME}_t ON {NAME} (t)");
    assert_eq!(ok("index", sql.execute(&index, &[])).await, 0, "no row is changed");
}

async fn a_query_may_change_rows_and_answer_them<C: Call>(sql: &Caller<C>) {
    let insert = format!("INSERT INTO {NAME} (id, t) VALUES ($1, $2) RETURNING id + 1 AS next, t");
    let found = ok("insert", sql.query(&insert, &[Value::Integer(70), text("new")])).await;
    assert_eq!(found.columns, ["next", "t"]);
    assert_eq!(found.rows[0].0, [Value::Integer(71), text("new")]);
    let read = ok("read", sql.query(&format!("SELECT t FROM {NAME} WHERE id = 70"), &[])).await;
    assert_eq!(only(&read), &text("new"), "and it stays");
}

async fn changes_at_once_are_not_lost<C: Call>(sql: &Caller<C>) {
    const CALLERS: usize = 16;
    const EACH: usize = 10;
    table(sql, COUNTER, "id BIGINT PRIMARY KEY, n BIGINT NOT NULL").await;
    ok("insert", sql.execute(&format!("INSERT INTO {COUNTER} (id, n) VALUES (1, 0)"), &[])).await;
    let add = format!("UPDATE {COUNTER} SET n = n + 1 WHERE id = 1");
    let one = async || {
        for _ in 0..EACH {
            while let Err(failure) = sql.execute(&add, &[]).await {
                let again = matches!(failure, Failure::Sql(Error::Conflict(_)));
                assert!(again, "{failure:?}");
            }
        }
    };
    join_all((0..CALLERS).map(|_| one())).await;
    let found = ok("read", sql.query(&format!("SELECT n FROM {COUNTER}"), &[])).await;
    assert_eq!(only(&found), &Value::Integer((CALLERS * EACH) as i64));
}
