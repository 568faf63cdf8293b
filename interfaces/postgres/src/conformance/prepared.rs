//! Prepared statements and their tokens.

use wattle_core::call::Call;

use super::{ok, refused};
use crate::{Caller, PgValue, PreparedStatementExecError, limit::TOKEN_LEN_MAX};

pub(super) async fn run<C: Call>(one: &Caller<C>, other: &Caller<C>) {
    a_prepared_statement_runs_often_and_says_how_many_rows(one).await;
    the_same_text_has_the_same_token(one).await;
    a_token_is_good_on_its_own_link_only(one, other).await;
    what_cannot_be_prepared_is_said(one).await;
    a_prepared_statement_survives_a_change_of_its_table(one).await;
}

async fn a_prepared_statement_runs_often_and_says_how_many_rows<C: Call>(database: &Caller<C>) {
    let create = "DROP TABLE IF EXISTS wattle_conformance_prepared; \
        CREATE TABLE wattle_conformance_prepared (n int4 PRIMARY KEY, t text)";
    ok("a table", database.query_batch(create)).await;
    let insert = "INSERT INTO wattle_conformance_prepared VALUES ($1, $2)";
    let token = ok("prepare", database.prepare(insert)).await;
    assert!(token.len() <= TOKEN_LEN_MAX, "{token}");
    for n in 0..20 {
        let params = [PgValue::Int4(n), PgValue::Text("t".into())];
        assert_eq!(ok("exec", database.exec(&token, &params)).await, 1);
    }
    let update = "UPDATE wattle_conformance_prepared SET t = $1 WHERE n < $2";
    let token = ok("prepare", database.prepare(update)).await;
    let params = [PgValue::Null, PgValue::Int4(7)];
    assert_eq!(ok("exec", database.exec(&token, &params)).await, 7);
    let create = ok("prepare", database.prepare("CREATE TEMPORARY TABLE wattle_conformance_no ()"));
    assert_eq!(ok("exec", database.exec(&create.await, &[])).await, 0);
}

async fn the_same_text_has_the_same_token<C: Call>(database: &Caller<C>) {
    let first = ok("prepare", database.prepare("SELECT $1::int4")).await;
    assert_eq!(ok("prepare", database.prepare("SELECT $1::int4")).await, first);
    assert_ne!(ok("prepare", database.prepare("SELECT $1::int8")).await, first);
}

async fn a_token_is_good_on_its_own_link_only<C: Call>(one: &Caller<C>, other: &Caller<C>) {
    let token = ok("prepare", one.prepare("SELECT 1")).await;
    let long = "x".repeat(TOKEN_LEN_MAX + 1);
    for (database, token) in [(other, token.as_str()), (one, ""), (one, "SELECT 1"), (one, &long)] {
        let error = refused("a stranger's token", database.exec(token, &[])).await;
        assert_eq!(error, PreparedStatementExecError::UnknownPreparedQuery);
    }
    let theirs = ok("prepare", other.prepare("SELECT 1")).await;
    assert_ne!(theirs, token, "a token cannot be told from the text");
}

async fn what_cannot_be_prepared_is_said<C: Call>(database: &Caller<C>) {
    let error = refused("no SQL", database.prepare("SELEKT 1")).await;
    assert!(error.to_string().starts_with("42601: "), "{error:?}");
    let token = ok("prepare", database.prepare("SELECT 1 / $1::int4")).await;
    let error = refused("division", database.exec(&token, &[PgValue::Int4(0)])).await;
    let PreparedStatementExecError::QueryError(error) = error else { panic!("{error:?}") };
    assert_eq!(error.code(), Some("22012"), "{error:?}");
    let error = refused("no parameter", database.exec(&token, &[])).await;
    assert!(matches!(error, PreparedStatementExecError::QueryError(_)), "{error:?}");
}

async fn a_prepared_statement_survives_a_change_of_its_table<C: Call>(database: &Caller<C>) {
    let token = ok("prepare", database.prepare("SELECT * FROM wattle_conformance_prepared")).await;
    assert_eq!(ok("exec", database.exec(&token, &[])).await, 20);
    let alter = "ALTER TABLE wattle_conformance_prepared ADD COLUMN more int8";
    ok("alter", database.query_batch(alter)).await;
    assert_eq!(ok("exec", database.exec(&token, &[])).await, 20);
    ok("tidying", database.query_batch("DROP TABLE wattle_conformance_prepared")).await;
}
