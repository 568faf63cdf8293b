//! A link's constraints hold, whatever a statement looks like.

use wattle_core::{Constraints, call::Call, link::Settings};

use super::{Abilities, assert_error, count, ok, table};
use crate::{ACCESS, Caller, Statement, TABLES};

const MINE: &str = "conformance_mine";
const OTHERS: &str = "conformance_others";

pub(super) async fn run<C: Call>(
    open: &Caller<C>,
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
    abilities: Abilities,
) {
    ok("drop", open.execute("DROP VIEW IF EXISTS conformance_view", &[])).await;
    for name in [MINE, OTHERS] {
        table(open, name, "id BIGINT PRIMARY KEY, t TEXT").await;
        let insert = format!("INSERT INTO {name} (id, t) VALUES (1, 'first')");
        ok("insert", open.execute(&insert, &[])).await;
    }
    let view = format!("CREATE VIEW conformance_view AS SELECT t FROM {OTHERS}");
    ok("view", open.execute(&view, &[])).await;
    if abilities.access {
        a_link_that_reads_does_not_change(open, caller).await;
        a_link_that_changes_rows_does_not_change_tables(caller).await;
        a_link_without_access_does_nothing(caller).await;
    }
    if abilities.tables {
        a_link_keeps_to_its_tables(open, caller).await;
        a_link_without_tables_reaches_none(caller).await;
    }
}

fn constraint(name: &str, values: &[&str]) -> Constraints {
    [(name.to_owned(), values.iter().map(|&value| value.to_owned()).collect())].into()
}

fn changes(table: &str) -> [String; 3] {
    [
        format!("INSERT INTO {table} (id, t) VALUES (2, 'new')"),
        format!("UPDATE {table} SET t = 'new'"),
        format!("DELETE FROM {table}"),
    ]
}

/// Changes of the schema, which no link with a constraint makes.
fn schema_changes() -> [String; 4] {
    [
        "CREATE TABLE conformance_new (id BIGINT)".to_owned(),
        format!("DROP TABLE {MINE}"),
        format!("ALTER TABLE {MINE} ADD COLUMN n BIGINT"),
        format!("CREATE VIEW conformance_new AS SELECT id FROM {MINE}"),
    ]
}

async fn a_link_that_reads_does_not_change<C: Call>(
    open: &Caller<C>,
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
) {
    let reader = caller(constraint(ACCESS, &["read"]), Settings::new()).await;
    assert_eq!(count(&reader, MINE).await, 1);
    for change in changes(MINE).iter().chain(&schema_changes()) {
        assert_error!(Denied, change, reader.execute(change, &[]));
        let batch = vec![Statement::new(change.as_str(), vec![])];
        assert_error!(Denied, change, reader.batch(batch));
    }
    let returning = format!("DELETE FROM {MINE} RETURNING id");
    assert_error!(Denied, &returning, reader.query(&returning, &[]));
    assert_eq!(count(open, MINE).await, 1);
}

async fn a_link_that_changes_rows_does_not_change_tables<C: Call>(
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
) {
    let writer = caller(constraint(ACCESS, &["write"]), Settings::new()).await;
    assert_eq!(count(&writer, MINE).await, 1);
    let update = format!("UPDATE {MINE} SET t = 'changed'");
    assert_eq!(ok("update", writer.execute(&update, &[])).await, 1);
    for change in schema_changes() {
        assert_error!(Denied, &change, writer.execute(&change, &[]));
    }
}

async fn a_link_without_access_does_nothing<C: Call>(
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
) {
    let nobody = caller(constraint(ACCESS, &[]), Settings::new()).await;
    assert_error!(Denied, "a query", nobody.query(&format!("SELECT id FROM {MINE}"), &[]));
    for change in changes(MINE) {
        assert_error!(Denied, &change, nobody.execute(&change, &[]));
    }
}

async fn a_link_keeps_to_its_tables<C: Call>(
    open: &Caller<C>,
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
) {
    let link = caller(constraint(TABLES, &[MINE]), Settings::new()).await;
    assert_eq!(count(&link, MINE).await, 1);
    for within in [
        format!("SELECT m.t FROM {MINE} AS m JOIN {MINE} AS n ON m.id = n.id"),
        format!("WITH others AS (SELECT t FROM {MINE}) SELECT count(*) FROM others"),
        format!("SELECT x.t FROM (SELECT t FROM {MINE}) AS x"),
        "SELECT 1".to_owned(),
    ] {
        ok(&within, link.query(&within, &[])).await;
    }
    for outside in [
        format!("SELECT t FROM {OTHERS}"),
        format!("SELECT count(*) FROM {OTHERS}"),
        format!("SELECT 1 FROM {OTHERS}"),
        format!("SELECT m.t FROM {OTHERS} AS m"),
        format!("SELECT m.t FROM {MINE} AS m, {OTHERS} AS o"),
        format!("SELECT t FROM {MINE} WHERE id IN (SELECT id FROM {OTHERS})"),
        format!("SELECT (SELECT t FROM {OTHERS}) FROM {MINE}"),
        format!("WITH {MINE} AS (SELECT t FROM {OTHERS}) SELECT t FROM {MINE}"),
        format!("SELECT t FROM {MINE} UNION ALL SELECT t FROM {OTHERS}"),
        "SELECT t FROM conformance_view".to_owned(),
    ] {
        assert_error!(Denied, &outside, link.query(&outside, &[]));
    }
    for outside in changes(OTHERS).iter().chain(&schema_changes()) {
        assert_error!(Denied, outside, link.execute(outside, &[]));
    }
    let leak = format!("UPDATE {MINE} SET t = (SELECT t FROM {OTHERS})");
    assert_error!(Denied, &leak, link.execute(&leak, &[]));
    let [insert, update, _] = changes(MINE);
    assert_eq!(ok("insert", link.execute(&insert, &[])).await, 1);
    assert_eq!(ok("update", link.execute(&update, &[])).await, 2);
    assert_eq!(count(open, OTHERS).await, 1);
}

async fn a_link_without_tables_reaches_none<C: Call>(
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
) {
    let link = caller(constraint(TABLES, &[]), Settings::new()).await;
    assert_error!(Denied, "a query", link.query(&format!("SELECT id FROM {MINE}"), &[]));
    assert_error!(Denied, "a change", link.execute(&format!("DELETE FROM {MINE}"), &[]));
}
