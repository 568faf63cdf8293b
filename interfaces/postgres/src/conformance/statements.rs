//! What statements give, and what batches leave.

use wattle_core::call::Call;

use super::{assert_invalid_query, ok, refused, text, value};
use crate::{Caller, PgValue};

pub(super) async fn run<C: Call>(database: &Caller<C>) {
    rows_come_in_order_with_their_columns_names(database).await;
    a_statement_without_rows_gives_none(database).await;
    a_batch_happens_whole_or_not_at_all(database).await;
    a_transaction_left_open_is_rolled_back(database).await;
    a_session_s_settings_do_not_leak_into_the_next_call(database).await;
}

async fn rows_come_in_order_with_their_columns_names<C: Call>(database: &Caller<C>) {
    let query =
        "SELECT n, 'row ' || n AS label, NULL::int4 AS nothing FROM generate_series(1, $1::int4) n";
    let rows = ok("rows", database.query(query, &[PgValue::Int4(3)])).await;
    let names: Vec<_> = rows[0].iter().map(|entry| entry.column_name.as_str()).collect();
    assert_eq!((rows.len(), names), (3, vec!["n", "label", "nothing"]));
    for (n, row) in (1..).zip(&rows) {
        let values: Vec<_> = row.iter().map(|entry| entry.value.clone()).collect();
        assert_eq!(values, [PgValue::Int4(n), text(&format!("row {n}")), PgValue::Null]);
    }
}

async fn a_statement_without_rows_gives_none<C: Call>(database: &Caller<C>) {
    assert!(ok("none", database.query("SELECT 1 WHERE false", &[])).await.is_empty());
    let create = "CREATE TABLE IF NOT EXISTS wattle_conformance_none ()";
    assert!(ok("a table", database.query(create, &[])).await.is_empty());
    ok("tidying", database.query("DROP TABLE wattle_conformance_none", &[])).await;
}

async fn a_batch_happens_whole_or_not_at_all<C: Call>(database: &Caller<C>) {
    let create = "DROP TABLE IF EXISTS wattle_conformance_batch; \
        CREATE TABLE wattle_conformance_batch (n int4 PRIMARY KEY); \
        INSERT INTO wattle_conformance_batch VALUES (1), (2)";
    ok("a batch", database.query_batch(create)).await;
    let twice = "INSERT INTO wattle_conformance_batch VALUES (3); \
        INSERT INTO wattle_conformance_batch VALUES (1)";
    let error = refused("the same key", database.query_batch(twice)).await;
    assert_eq!(error.code(), Some("23505"), "{error:?}");
    assert_eq!(count(database).await, PgValue::Int8(2), "the 3 went with it");
    let error = refused("no SQL", database.query_batch("SELEKT 1")).await;
    assert_invalid_query(&error, "42601");
}

async fn a_transaction_left_open_is_rolled_back<C: Call>(database: &Caller<C>) {
    ok("open", database.query_batch("BEGIN; INSERT INTO wattle_conformance_batch VALUES (4)"))
        .await;
    ok("begin", database.query("BEGIN", &[])).await;
    assert_eq!(count(database).await, PgValue::Int8(2));
    let whole = "BEGIN; INSERT INTO wattle_conformance_batch VALUES (5); COMMIT";
    ok("whole", database.query_batch(whole)).await;
    assert_eq!(count(database).await, PgValue::Int8(3));
    ok("tidying", database.query_batch("DROP TABLE wattle_conformance_batch")).await;
}

async fn a_session_s_settings_do_not_leak_into_the_next_call<C: Call>(database: &Caller<C>) {
    ok("set", database.query("SET application_name TO 'leaked'", &[])).await;
    ok("set in a batch", database.query_batch("SET application_name TO 'leaked'")).await;
    let name = value(database, "SELECT current_setting('application_name')", &[]).await;
    assert_ne!(name, text("leaked"));
}

async fn count<C: Call>(database: &Caller<C>) -> PgValue {
    value(database, "SELECT count(*) FROM wattle_conformance_batch", &[]).await
}
