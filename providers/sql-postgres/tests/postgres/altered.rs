//! Tables that somebody alters while statements over them are kept prepared.

use wattle_core::call::Call;
use wattle_postgres::{Caller, Failure, PgValue};
use wattle_sql::Value;

use super::{
    link::{caller, value},
    portable,
    server::Server,
};

#[tokio::test]
async fn a_column_of_another_type_takes_what_belongs_into_it_now() {
    let server = Server::start().await;
    let admin = server.client().await;
    let alter = async |text: &str| admin.batch_execute(text).await.expect("it may");
    alter("CREATE TABLE numbers (n int); CREATE TABLE texts (n text)").await;
    let settings = server.settings(&[("pool_size", "1")]);
    let (database, portable) = (caller(settings.clone()).await, portable::caller(&settings).await);
    let insert = async |table: &str, value: PgValue, same: Value| {
        let text = format!("INSERT INTO {table} VALUES ($1)");
        database.query(&text, std::slice::from_ref(&value)).await.expect("it fits");
        let changed = portable.execute(&text, std::slice::from_ref(&same)).await;
        assert_eq!(changed, Ok(1), "{value:?} into {table}");
    };
    let text = |text: &str| (PgValue::Text(text.to_owned()), Value::Text(text.to_owned()));
    let number = |number: i64| (PgValue::Int8(number), Value::Integer(number));
    let into = async |table: &str, (value, same)| insert(table, value, same).await;

    into("numbers", number(1)).await;
    into("texts", text("1")).await;
    alter("ALTER TABLE numbers ALTER n TYPE bigint").await;
    alter("ALTER TABLE texts ALTER n TYPE int USING n::int").await;
    into("numbers", number(3_000_000_000)).await; // 22003, as it was prepared
    into("texts", text("2")).await; // 42804
    alter("ALTER TABLE texts ALTER n TYPE text").await;
    into("texts", text("no number")).await; // 22P02
    alter("ALTER TABLE texts ALTER n TYPE int USING 7").await;
    into("texts", number(5)).await; // it does not fit a text, and is not even sent

    let sum = value(&database, "SELECT sum(n)::bigint FROM numbers").await;
    assert_eq!(sum, Ok(PgValue::Int8(6_000_000_002)));
    assert_eq!(value(&database, "SELECT count(*) FROM texts").await, Ok(PgValue::Int8(8)));
}

#[tokio::test]
async fn a_batch_over_an_altered_table_begins_again_and_is_made_once() {
    let server = Server::start().await;
    let admin = server.client().await;
    admin.batch_execute("CREATE TABLE t (n int); CREATE TABLE log (n int)").await.expect("up");
    let portable = portable::caller(&server.settings(&[("pool_size", "1")])).await;
    let batch = async |number| {
        let one = |text| wattle_sql::Statement::new(text, vec![Value::Integer(number)]);
        let log = "INSERT INTO log VALUES (length($1::bigint::text))";
        portable.batch(vec![one(log), one("INSERT INTO t VALUES ($1)")]).await
    };
    assert_eq!(batch(1).await, Ok(vec![1, 1]));
    admin.batch_execute("ALTER TABLE t ALTER n TYPE bigint").await.expect("it may");
    assert_eq!(batch(3_000_000_000).await, Ok(vec![1, 1]));
    let count: i64 = admin.query_one("SELECT count(*) FROM log", &[]).await.expect("up").get(0);
    assert_eq!(count, 2);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_as_before_and_what_may_have_run_is_not_run_again() {
    let server = Server::start().await;
    let database = caller(server.settings(&[("pool_size", "1")])).await;
    database.query_batch("CREATE TABLE t (n int); CREATE SEQUENCE s").await.expect("a table");
    let insert = "INSERT INTO t VALUES ($1)";
    assert_eq!(refusal(&database, insert, 1).await, None);
    assert_eq!(refusal(&database, insert, 3_000_000_000).await.as_deref(), Some("22003"));
    assert_eq!(value(&database, "SELECT count(*) FROM t").await, Ok(PgValue::Int8(1)));

    let count = "SELECT nextval('s') / $1::bigint";
    assert_eq!(refusal(&database, count, 1).await, None);
    assert_eq!(refusal(&database, count, 0).await.as_deref(), Some("22012"));
    assert_eq!(value(&database, "SELECT nextval('s')").await, Ok(PgValue::Int8(3)), "once each");
}

/// The code of the error with which a statement of one number fails, if it does.
async fn refusal<C: Call>(database: &Caller<C>, query: &str, number: i64) -> Option<String> {
    match database.query(query, &[PgValue::Int8(number)]).await {
        Ok(_) => None,
        Err(Failure::Database(error)) => error.code().map(str::to_owned),
        Err(Failure::Call(error)) => panic!("the call failed: {error}"),
    }
}
