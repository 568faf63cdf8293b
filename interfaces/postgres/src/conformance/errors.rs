//! What is refused, and in which words.

use wattle_core::call::Call;

use super::{assert_invalid_query, ok, refused, value};
use crate::{
    Caller, PgValue, QueryError,
    error::TOO_LARGE,
    limit::STATEMENT_LEN_MAX,
    value::{Date, Hashable},
};

pub(super) async fn run<C: Call>(database: &Caller<C>) {
    what_is_no_statement_is_an_invalid_query(database).await;
    a_second_statement_is_refused(database).await;
    parameters_that_do_not_fit_are_invalid_params(database).await;
    an_array_with_a_null_is_an_error(database).await;
    what_the_database_says_comes_with_its_code(database).await;
    what_is_past_a_limit_is_refused(database).await;
}

async fn what_is_no_statement_is_an_invalid_query<C: Call>(database: &Caller<C>) {
    for (query, code) in [
        ("SELEKT 1", "42601"),
        ("SELECT * FROM wattle_conformance_nowhere", "42P01"),
        ("SELECT nothing", "42703"),
        ("SELECT nothing()", "42883"),
    ] {
        let error = refused(query, database.query(query, &[])).await;
        assert_invalid_query(&error, code);
    }
}

async fn a_second_statement_is_refused<C: Call>(database: &Caller<C>) {
    let error = refused("two", database.query("SELECT 1; SELECT 2", &[])).await;
    assert_invalid_query(&error, "42601");
}

async fn parameters_that_do_not_fit_are_invalid_params<C: Call>(database: &Caller<C>) {
    let no_sign: Hashable = (1, 0, 0);
    for (query, params) in [
        ("SELECT $1::int4", vec![]),
        ("SELECT $1::int4", vec![PgValue::Int4(1), PgValue::Int4(2)]),
        ("SELECT 1", vec![PgValue::Null]),
        ("SELECT $1::int4", vec![PgValue::Bool(true)]),
        ("SELECT $1::int4", vec![PgValue::Int8(1 << 40)]),
        ("SELECT $1::int4", vec![PgValue::Text("four".into())]),
        ("SELECT $1::int4", vec![PgValue::Int4Array(vec![1])]),
        ("SELECT $1::text", vec![PgValue::Int4(1)]),
        ("SELECT $1::numeric", vec![PgValue::Numeric("1,5".into())]),
        ("SELECT $1::uuid", vec![PgValue::Uuid("no uuid".into())]),
        ("SELECT $1::money", vec![PgValue::Money("12.345".into())]),
        ("SELECT $1::float8", vec![PgValue::Float8(no_sign)]),
        ("SELECT $1::date", vec![PgValue::Date(Date::Ymd((2023, 2, 29)))]),
        ("SELECT $1::bit(4)", vec![PgValue::Bit((9, serde_bytes::ByteBuf::from(vec![0])))]),
        ("SELECT $1::text", vec![PgValue::Text("a\0b".into())]),
    ] {
        let error =
            refused(&format!("{query} with {params:?}"), database.query(query, &params)).await;
        assert!(matches!(error, QueryError::InvalidParams(_)), "{query} {params:?}: {error:?}");
    }
}

async fn an_array_with_a_null_is_an_error<C: Call>(database: &Caller<C>) {
    for query in
        ["SELECT ARRAY[1, NULL]", "SELECT ARRAY['a', NULL]", "SELECT '{{1,2},{3,4}}'::int4[]"]
    {
        let error = refused(query, database.query(query, &[])).await;
        assert!(error.text().contains("array"), "{error:?}");
    }
}

async fn what_the_database_says_comes_with_its_code<C: Call>(database: &Caller<C>) {
    let error =
        refused("division", database.query("SELECT 1 / $1::int4", &[PgValue::Int4(0)])).await;
    assert_eq!(error.code(), Some("22012"), "{error:?}");
    let raise = "DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = 'ZZ001'; END $$";
    let error = refused("raise", database.query(raise, &[])).await;
    assert_eq!(error, QueryError::Unexpected("ZZ001: so it is".into()));
}

async fn what_is_past_a_limit_is_refused<C: Call>(database: &Caller<C>) {
    let long = format!("SELECT 1 -- {}", "x".repeat(STATEMENT_LEN_MAX));
    let error = refused("a long statement", database.query(&long, &[])).await;
    assert_eq!(error.code(), Some(TOO_LARGE), "{error:?}");
    let wide = "SELECT repeat('x', 1000) FROM generate_series(1, 10000)";
    let error = refused("a long answer", database.query(wide, &[])).await;
    assert_eq!(error.code(), Some(TOO_LARGE), "{error:?}");
    let error = refused("a long value", database.query("SELECT repeat('x', 20000000)", &[])).await;
    assert_eq!(error.code(), Some(TOO_LARGE), "{error:?}");
    let megabyte = [PgValue::Text("x".repeat(1 << 20))];
    let len = value(database, "SELECT length($1::text)", &megabyte).await;
    assert_eq!(len, PgValue::Int4(1 << 20), "a long parameter is none of them");
    ok("afterwards", database.query("SELECT 1", &[])).await;
}
