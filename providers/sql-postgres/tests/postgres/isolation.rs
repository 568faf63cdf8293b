//! One link's trouble is not another's.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use wattle_core::call::Call;
use wattle_postgres::{Caller, PgValue, error::TIMEOUT};

use super::{
    SOON,
    link::{caller, code, value},
    server::{Server, sleeping, until},
};

/// What the slowest calls may take on a busy machine. Those that wait for the slow link would take 10 s.
const BESIDE_MAX: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_link_does_not_slow_another() {
    const SLOW: usize = 50;
    let server = Server::start().await;
    let watch = server.client().await;
    let quick = caller(server.settings(&[])).await;
    let limits = [("pool_size", "4"), ("statement_timeout_ms", "10000")];
    let slow = Arc::new(caller(server.settings(&limits)).await);
    let alone = p99(&quick).await;
    let mut calls = JoinSet::new();
    for _ in 0..SLOW {
        let slow = Arc::clone(&slow);
        calls.spawn(async move { code(&slow, "SELECT pg_sleep(60)").await });
    }
    until(SOON, "they sleep", async || sleeping(&watch).await == 4).await;
    let beside = p99(&quick).await;
    println!("{alone:?} alone, {beside:?} beside a slow link");
    assert!(beside < BESIDE_MAX, "{alone:?} alone, {beside:?} beside a slow link");
    calls.shutdown().await;
}

#[tokio::test]
async fn a_link_s_prepared_statements_and_settings_are_its_own() {
    let server = Server::start().await;
    let (one, other) = (caller(server.settings(&[])).await, caller(server.settings(&[])).await);
    let token = one.prepare("SELECT 1").await.expect("a token");
    assert!(other.exec(&token, &[]).await.is_err());
    one.query("SET search_path TO nowhere", &[]).await.expect("it may");
    let path = value(&other, "SELECT current_setting('search_path')").await;
    assert_eq!(path, Ok(PgValue::Text("\"$user\", public".into())));
}

#[tokio::test]
async fn a_batch_leaves_its_connection_as_good_as_new() {
    let server = Server::start().await;
    let database = caller(server.settings(&[("pool_size", "1")])).await;
    database.query_batch("CREATE TYPE mood AS ENUM ('sad', 'glad')").await.expect("a type");
    let leave = "SET search_path TO nowhere; PREPARE mine AS SELECT 1; CREATE TEMP TABLE own (n int); \
        SELECT pg_advisory_lock(1); BEGIN";
    for _ in 0..3 {
        let mood = value(&database, "SELECT 'glad'::public.mood").await;
        assert_eq!(mood, Ok(PgValue::Text("glad".into())), "its types are known");
        database.query_batch(leave).await.expect("nothing is in its way");
    }
    let path = value(&database, "SELECT current_setting('search_path')").await;
    assert_eq!(path, Ok(PgValue::Text("\"$user\", public".into())));
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    assert_eq!(value(&database, locks).await, Ok(PgValue::Int8(0)));
}

#[tokio::test]
async fn a_link_can_have_a_user_of_its_own_that_may_do_no_more() {
    let server = Server::start().await;
    let admin = caller(server.settings(&[])).await;
    let make = "CREATE TABLE carts (n int); CREATE TABLE secrets (n int); \
        CREATE ROLE cart LOGIN PASSWORD 'wagen'; GRANT SELECT ON carts TO cart";
    admin.query_batch(make).await.expect("a user");
    let mut settings = server.settings(&[]);
    settings.insert("POSTGRES_USERNAME".to_owned(), "cart".to_owned());
    settings.insert("POSTGRES_PASSWORD".to_owned(), "wagen".to_owned());
    let cart = caller(settings).await;
    assert_eq!(value(&cart, "SELECT count(*) FROM carts").await, Ok(PgValue::Int8(0)));
    assert_eq!(code(&cart, "SELECT * FROM secrets").await, "42501");
    assert_eq!(code(&cart, "INSERT INTO carts VALUES (1)").await, "42501");
    assert_eq!(code(&cart, "SET ROLE postgres").await, "42501");
}

#[tokio::test]
async fn a_lock_that_one_link_holds_times_out_for_another_and_is_let_go() {
    let server = Server::start().await;
    let one = Arc::new(caller(server.settings(&[])).await);
    let other = caller(server.settings(&[("statement_timeout_ms", "2000")])).await;
    one.query_batch("CREATE TABLE t (n int)").await.expect("a table");
    let holder = Arc::clone(&one);
    let held = tokio::spawn(async move {
        holder.query_batch("BEGIN; LOCK TABLE t; SELECT pg_sleep(60)").await
    });
    let watch = server.client().await;
    let locked = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 't'::regclass";
    until(SOON, "it is locked", async || {
        watch.query_one(locked, &[]).await.expect("up").get::<_, i64>(0) == 1
    })
    .await;
    assert_eq!(code(&other, "SELECT * FROM t").await, TIMEOUT);
    held.abort();
    until(SOON, "let go", async || value(&other, "SELECT count(*) FROM t").await.is_ok()).await;
}

/// How long 99 of a hundred calls take at most.
async fn p99<C: Call>(database: &Caller<C>) -> Duration {
    const CALLS: usize = 500;
    let mut took = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let started = Instant::now();
        assert_eq!(value(database, "SELECT 1").await, Ok(PgValue::Int4(1)));
        took.push(started.elapsed());
    }
    took.sort();
    took[CALLS * 99 / 100]
}
