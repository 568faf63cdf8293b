//! Values there and back.

use wattle_core::call::Call;

use super::{assert_error, ok, only, table, text};
use crate::{Caller, Rows, Value};

const KINDS: &str = "conformance_kinds";
const TEXTS: &str = "conformance_texts";

pub(super) async fn run<C: Call>(sql: &Caller<C>) {
    a_value_of_each_kind_is_read_as_it_was_written(sql).await;
    texts_and_bytes_come_back_whole(sql).await;
    what_has_no_kind_is_text(sql).await;
    parameters_may_come_in_any_order_and_twice(sql).await;
    columns_have_names_even_without_rows(sql).await;
    what_not_every_database_keeps_is_refused(sql).await;
}

async fn a_value_of_each_kind_is_read_as_it_was_written<C: Call>(sql: &Caller<C>) {
    let columns = "id BIGINT PRIMARY KEY, i BIGINT, r DOUBLE PRECISION, t TEXT, b BYTEA, f BOOLEAN";
    table(sql, KINDS, columns).await;
    let rows = [
        [Value::Null, Value::Null, Value::Null, Value::Null, Value::Null],
        [
            Value::Integer(i64::MIN),
            Value::Real(-0.5),
            text(""),
            Value::Blob(vec![]),
            Value::Boolean(false),
        ],
        [
            Value::Integer(i64::MAX),
            Value::Real(f64::MAX),
            text("42"),
            Value::Blob(vec![0]),
            Value::Boolean(true),
        ],
        [
            Value::Integer((1 << 53) + 1),
            Value::Real(f64::INFINITY),
            text("true"),
            Value::Blob(b"text".to_vec()),
            Value::Boolean(true),
        ],
        [
            Value::Integer(0),
            Value::Real(1.0),
            text("NULL"),
            Value::Blob(vec![0xff; 3]),
            Value::Boolean(false),
        ],
    ];
    let insert = format!("INSERT INTO {KINDS} (id, i, r, t, b, f) VALUES ($1, $2, $3, $4, $5, $6)");
    for (id, row) in (1..).zip(&rows) {
        let params: Vec<_> = [Value::Integer(id)].iter().chain(row).cloned().collect();
        assert_eq!(ok("insert", sql.execute(&insert, &params)).await, 1);
    }
    let select = format!("SELECT i, r, t, b, f FROM {KINDS} ORDER BY id");
    let found = ok("select", sql.query(&select, &[])).await;
    assert_eq!(found.columns, ["i", "r", "t", "b", "f"]);
    let found: Vec<_> = found.rows.into_iter().map(|row| row.0).collect();
    assert_eq!(found, rows);
}

async fn texts_and_bytes_come_back_whole<C: Call>(sql: &Caller<C>) {
    table(sql, TEXTS, "id BIGINT PRIMARY KEY, t TEXT, b BYTEA").await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let long = "ä".repeat(100_000);
    let texts =
        ["Grüße, 世界 🧶", "'; DROP TABLE conformance_texts; --", "\r\n\t\u{1}%_\\\"", &long];
    let insert = format!("INSERT INTO {TEXTS} (id, t, b) VALUES ($1, $2, $3)");
    for (id, written) in (1..).zip(texts) {
        let bytes = Value::Blob(every_byte.repeat(id));
        let params = [Value::Integer(id as i64), text(written), bytes.clone()];
        ok("insert", sql.execute(&insert, &params)).await;
        let select = format!("SELECT t, b FROM {TEXTS} WHERE t = $1");
        let found = ok("select", sql.query(&select, &[text(written)])).await;
        assert_eq!(found.rows.len(), 1, "{written:.40?}");
        assert!(found.rows[0].0 == [text(written), bytes], "{written:.40?}");
    }
}

/// Spellings that all databases give back as they got them.
async fn what_has_no_kind_is_text<C: Call>(sql: &Caller<C>) {
    const NAME: &str = "conformance_typed";
    table(sql, NAME, "n NUMERIC(10, 2), d DATE, s TIMESTAMP, u UUID, j JSON").await;
    let values = [
        text("12.25"),
        text("2024-02-29"),
        text("2024-02-29 12:30:45"),
        text("0b9cb0a1-7d3e-4d4c-8a55-2f1a1f7d8c11"),
        text(r#"{"a": [1, null]}"#),
    ];
    let insert = format!("INSERT INTO {NAME} (n, d, s, u, j) VALUES ($1, $2, $3, $4, $5)");
    ok("insert", sql.execute(&insert, &values)).await;
    let found = ok("select", sql.query(&format!("SELECT n, d, s, u, j FROM {NAME}"), &[])).await;
    assert_eq!(found.rows[0].0, values);
}

async fn parameters_may_come_in_any_order_and_twice<C: Call>(sql: &Caller<C>) {
    let ask = "SELECT CAST($2 AS BIGINT) - CAST($1 AS BIGINT) - CAST($2 AS BIGINT)";
    let found = ok("select", sql.query(ask, &[Value::Integer(7), Value::Integer(100)])).await;
    assert_eq!(only(&found), &Value::Integer(-7));
}

async fn columns_have_names_even_without_rows<C: Call>(sql: &Caller<C>) {
    let none = format!("SELECT i AS x, t FROM {KINDS} WHERE id < 0");
    let found = ok("select", sql.query(&none, &[])).await;
    let names = vec!["x".to_owned(), "t".to_owned()];
    assert_eq!(found, Rows { columns: names, rows: vec![] });
}

/// SQLite has no NaN and PostgreSQL no U+0000, so neither gets one.
async fn what_not_every_database_keeps_is_refused<C: Call>(sql: &Caller<C>) {
    let insert = format!("INSERT INTO {KINDS} (id, r, t) VALUES (99, $1, $2)");
    let nan = [Value::Real(f64::NAN), Value::Null];
    assert_error!(Invalid, "NaN", sql.execute(&insert, &nan));
    let zero = [Value::Null, text("a\0b")];
    assert_error!(Invalid, "U+0000", sql.execute(&insert, &zero));
    assert_error!(Invalid, "U+0000 in a statement", sql.query("SELECT 1 -- \0", &[]));
}
