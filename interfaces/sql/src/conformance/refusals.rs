//! What is no statement, or none for a caller, is refused by its kind and changes nothing.

use wattle_core::call::Call;

use super::{assert_error, count, ok, table, text};
use crate::{Caller, Value};

const NAME: &str = "conformance_refusals";

pub(super) async fn run<C: Call>(sql: &Caller<C>) {
    table(sql, NAME, "id BIGINT PRIMARY KEY").await;
    ok("insert", sql.execute(&format!("INSERT INTO {NAME} (id) VALUES (1)"), &[])).await;
    what_cannot_be_run_is_invalid(sql).await;
    a_text_has_one_statement(sql).await;
    each_parameter_has_a_value_and_each_value_a_parameter(sql).await;
    a_change_that_answers_rows_is_a_query(sql).await;
    transactions_and_settings_are_the_provider_s(sql).await;
    assert_eq!(count(sql, NAME).await, 1);
}

async fn what_cannot_be_run_is_invalid<C: Call>(sql: &Caller<C>) {
    for wrong in [
        "",
        "  -- nothing\n",
        "SELEC 1",
        "SELECT 1 FROM conformance_nowhere",
        "SELECT nothing FROM conformance_refusals",
        "SELECT \"nothing\" FROM conformance_refusals",
        "SELECT no_such_function(1)",
        "SELECT 'no end",
    ] {
        assert_error!(Invalid, wrong, sql.query(wrong, &[]));
        assert_error!(Invalid, wrong, sql.execute(wrong, &[]));
    }
}

async fn a_text_has_one_statement<C: Call>(sql: &Caller<C>) {
    ok("one with its semicolon", sql.query("SELECT 1; -- the end\n", &[])).await;
    let two = format!("SELECT 1; DELETE FROM {NAME}");
    assert_error!(Invalid, "two statements", sql.query(&two, &[]));
    let two = format!("DELETE FROM {NAME}; DELETE FROM {NAME}");
    assert_error!(Invalid, "two statements", sql.execute(&two, &[]));
    assert_eq!(count(sql, NAME).await, 1, "neither ran");
}

async fn each_parameter_has_a_value_and_each_value_a_parameter<C: Call>(sql: &Caller<C>) {
    let find = format!("SELECT id FROM {NAME} WHERE id = $1 OR id = $2");
    let (one, two) = (Value::Integer(1), Value::Integer(2));
    assert_error!(Invalid, "too few", sql.query(&find, &[]));
    assert_error!(Invalid, "too few", sql.query(&find, std::slice::from_ref(&one)));
    let three = [one.clone(), two.clone(), two.clone()];
    assert_error!(Invalid, "too many", sql.query(&find, &three));
    let skips = format!("SELECT id FROM {NAME} WHERE id = $2");
    assert_error!(Invalid, "one that is not used", sql.query(&skips, &[two, one.clone()]));
    let other = format!("SELECT id FROM {NAME} WHERE id = ?");
    assert_error!(Invalid, "another spelling", sql.query(&other, std::slice::from_ref(&one)));
    let far = format!("SELECT id FROM {NAME} WHERE id = $99999");
    assert_error!(Invalid, "a far one", sql.query(&far, &[one]));
}

async fn a_change_that_answers_rows_is_a_query<C: Call>(sql: &Caller<C>) {
    assert_error!(Invalid, "a select", sql.execute(&format!("SELECT id FROM {NAME}"), &[]));
    let returning = format!("DELETE FROM {NAME} RETURNING id");
    assert_error!(Invalid, "returning", sql.execute(&returning, &[]));
}

async fn transactions_and_settings_are_the_provider_s<C: Call>(sql: &Caller<C>) {
    for words in [
        "BEGIN",
        "begin transaction",
        "/* why */ COMMIT",
        "-- why\nROLLBACK",
        "SAVEPOINT s",
        "RELEASE s",
        "END",
        "SET x = 1",
        "PRAGMA foreign_keys = OFF",
        "ATTACH DATABASE 'x' AS y",
        "VACUUM",
    ] {
        assert_error!(Denied, words, sql.execute(words, &[]));
        assert_error!(Denied, words, sql.query(words, &[]));
    }
    let word = [text("BEGIN")];
    ok("the word as a value", sql.query("SELECT CAST($1 AS TEXT)", &word)).await;
}
