//! What is past its limit is refused or stopped, and the database goes on.

use wattle_core::{Constraints, call::Call, link::Settings};

use super::{assert_error, count, ok, table, text};
use crate::{
    Caller, Value,
    limit::{PARAMS_MAX, ROWS_MAX, STATEMENT_LEN_MAX},
};

const NAME: &str = "conformance_limits";

/// Rows without end; the same row each time, so that no number overflows.
const ENDLESS: &str = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x FROM n)";

pub(super) async fn run<C: Call>(
    open: &Caller<C>,
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
) {
    table(open, NAME, "id BIGINT, t TEXT").await;
    the_contract_s_limits_hold(open).await;
    a_result_ends_at_the_link_s_limits(open, caller).await;
    a_statement_keeps_to_the_link_s_limits(caller).await;
    a_statement_without_end_is_stopped(open, caller).await;
}

fn set(name: &str, value: &str) -> Settings {
    [(name.to_owned(), value.to_owned())].into()
}

async fn the_contract_s_limits_hold<C: Call>(sql: &Caller<C>) {
    let long = format!("SELECT 1 {}", " ".repeat(STATEMENT_LEN_MAX));
    assert_error!(TooLarge, "a long statement", sql.query(&long, &[]));
    let many = vec![Value::Null; PARAMS_MAX + 1];
    assert_error!(TooLarge, "many parameters", sql.query("SELECT 1", &many));
    let numbers = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < $1)";
    let first = format!("{numbers} SELECT x FROM n");
    let most = [Value::Integer(ROWS_MAX as i64)];
    assert_eq!(ok("the most rows", sql.query(&first, &most)).await.rows.len(), ROWS_MAX);
    let more = [Value::Integer(ROWS_MAX as i64 + 1)];
    assert_error!(TooLarge, "one row more", sql.query(&first, &more));
    ok("insert", sql.execute(&format!("INSERT INTO {NAME} VALUES (0, $1)"), &[long_text()])).await;
    let twice = format!("SELECT a.t, b.t FROM {NAME} a, {NAME} b");
    assert_error!(TooLarge, "more than a message", sql.query(&twice, &[]));
    assert_error!(
        TooLarge,
        "no end of rows",
        sql.query(&format!("{ENDLESS} SELECT x FROM n"), &[])
    );
    ok("delete", sql.execute(&format!("DELETE FROM {NAME}"), &[])).await;
}

/// Two of it do not fit into a message.
fn long_text() -> Value {
    Value::Text("x".repeat(3 * 1024 * 1024))
}

async fn a_result_ends_at_the_link_s_limits<C: Call>(
    open: &Caller<C>,
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
) {
    let insert = format!("INSERT INTO {NAME} VALUES (1, $1), (2, $1), (3, $1)");
    ok("insert", open.execute(&insert, &[text(&"x".repeat(1_000))])).await;
    let rows = caller(Constraints::new(), set("max_rows", "2")).await;
    let first = |n: i64| format!("SELECT id FROM {NAME} ORDER BY id LIMIT {n}");
    assert_eq!(ok("two", rows.query(&first(2), &[])).await.rows.len(), 2);
    assert_error!(TooLarge, "three rows", rows.query(&first(3), &[]));

    let bytes = caller(Constraints::new(), set("max_result_bytes", "2500")).await;
    let first = |n: i64| format!("SELECT t FROM {NAME} ORDER BY id LIMIT {n}");
    assert_eq!(ok("two", bytes.query(&first(2), &[])).await.rows.len(), 2);
    assert_error!(TooLarge, "3,000 bytes", bytes.query(&first(3), &[]));

    let before = count(open, NAME).await;
    let change = format!("DELETE FROM {NAME} RETURNING id");
    assert_error!(TooLarge, "three rows of a change", rows.query(&change, &[]));
    assert_eq!(count(open, NAME).await, before, "what cannot be answered is not done");
}

async fn a_statement_keeps_to_the_link_s_limits<C: Call>(
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
) {
    let long = caller(Constraints::new(), set("max_statement_bytes", "20")).await;
    ok("short", long.query("SELECT 1", &[])).await;
    assert_error!(TooLarge, "long", long.query("SELECT 1 -- longer than 20", &[]));
    let params = caller(Constraints::new(), set("max_params", "1")).await;
    let two = [Value::Integer(1), Value::Integer(2)];
    let add = "SELECT CAST($1 AS BIGINT) + CAST($2 AS BIGINT)";
    assert_error!(TooLarge, "two parameters", params.query(add, &two));
    let batch = caller(Constraints::new(), set("max_batch", "1")).await;
    let delete = || crate::Statement::new(format!("DELETE FROM {NAME} WHERE id < 0"), vec![]);
    ok("one", batch.batch(vec![delete()])).await;
    assert_error!(TooLarge, "two statements", batch.batch(vec![delete(), delete()]));
}

/// A busy machine may need some of the link's hasty calls to get there.
async fn goes_on<C: Call>(hasty: &Caller<C>) {
    const TRIES: usize = 15;
    for _ in 1..TRIES {
        if hasty.query("SELECT 1", &[]).await.is_ok() {
            return;
        }
    }
    ok("the link goes on", hasty.query("SELECT 1", &[])).await;
}

async fn a_statement_without_end_is_stopped<C: Call>(
    open: &Caller<C>,
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
) {
    let hasty = caller(Constraints::new(), set("statement_timeout_ms", "1000")).await;
    let before = count(open, NAME).await;
    let query = format!("{ENDLESS} SELECT count(*) FROM n");
    // It never comes to its row: one that did would fill the database on a fast machine before its time is over.
    let change = format!("INSERT INTO {NAME} (id) {ENDLESS} SELECT count(*) FROM n");
    for _ in 0..2 {
        assert_error!(Timeout, "a query", hasty.query(&query, &[]));
        assert_error!(Timeout, "a change", hasty.execute(&change, &[]));
    }
    assert_eq!(count(open, NAME).await, before, "what was stopped is undone");
    goes_on(&hasty).await;
    let delete = format!("DELETE FROM {NAME}");
    assert_eq!(ok("others change", open.execute(&delete, &[])).await, before as u64);
}
