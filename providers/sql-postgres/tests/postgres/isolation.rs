//! One link's trouble is not another's.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use wattle_core::{Constraints, ErrorKind, call::Call};
use wattle_postgres::{
    Caller, Failure, PgValue,
    error::{OVERLOADED, TIMEOUT},
};

use super::{
    SOON,
    beside::assert_not_slowed,
    link::{caller, code, value},
    process::Process,
    server::{Server, sleeping, until},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_whose_database_is_slow_or_hangs_does_not_slow_another() {
    const CALLS: usize = 50;
    let (server, hanging) = (Server::start().await, Server::start().await);
    let process = Process::start().await;
    let put = async |settings| process.put(Constraints::new(), settings).await.expect("a link");
    let quick = put(server.settings(&[])).await;
    let limits = [("pool_size", "4"), ("statement_timeout_ms", "9000")];
    let slow = Arc::new(put(server.settings(&limits)).await);
    let stuck = Arc::new(put(hanging.settings(&limits)).await);
    let watch = server.client().await;
    let call = async || assert_eq!(value(&quick, "SELECT 1").await, Ok(PgValue::Int4(1)));
    let pile_up = |link: &Arc<_>, text: &'static str| {
        let mut calls = JoinSet::new();
        for _ in 0..CALLS {
            let link = Arc::clone(link);
            calls.spawn(async move { value(&link, text).await });
        }
        calls
    };
    let sleeps = async || {
        let calls = pile_up(&slow, "SELECT 1 FROM pg_sleep(60)");
        until(SOON, "they sleep", async || sleeping(&watch).await == 4).await;
        calls
    };
    assert_not_slowed(call, sleeps).await;
    hanging.freeze();
    assert_not_slowed(call, async || pile_up(&stuck, "SELECT 1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_whose_large_calls_wait_takes_little_of_the_provider_s_memory() {
    /// Of 4 MB each: all of them, decoded and not, would be 800 MB.
    const CALLS: usize = 100;
    const MEMORY_MAX: u64 = 512 * 1024 * 1024;
    let server = Server::start().await;
    let process = Process::start().await;
    let put = async |settings| process.put(Constraints::new(), settings).await.expect("a link");
    let busy = Arc::new(put(server.settings(&[("pool_size", "1")])).await);
    let other = put(server.settings(&[])).await;
    let watch = server.client().await;
    let holder = Arc::clone(&busy);
    let held = tokio::spawn(async move { value(&holder, "SELECT pg_sleep(60)").await });
    until(SOON, "it sleeps", async || sleeping(&watch).await == 1).await;
    let blob: Arc<[PgValue]> = [PgValue::Bytea(vec![7; 4_000_000].into())].into();
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let (busy, blob) = (Arc::clone(&busy), Arc::clone(&blob));
        calls.spawn(async move { refusal(&busy, "SELECT length($1::bytea)", &blob).await });
    }
    // The first of them that ends was not for waiting.
    let first = calls.join_next().await.expect("some calls").expect("no panic");
    assert_eq!(first.as_deref(), Some(OVERLOADED));
    assert_eq!(refusal(&other, "SELECT 1", &[]).await, None);
    assert_eq!(sleeping(&watch).await, 1, "the one connection is busy still");
    held.abort();
    let ended = calls.join_all().await;
    assert!(ended.iter().flatten().all(|code| code == OVERLOADED), "{ended:?}");
    assert!(ended.contains(&None), "those that waited were answered");
    let memory = process.peak_memory();
    let waited = ended.iter().filter(|code| code.is_none()).count();
    println!("{waited} of {CALLS} waited; the process took {memory} bytes at most");
    assert!(memory < MEMORY_MAX, "{memory} bytes");
}

/// The code of the provider's error, if it is one. What the way to it has no room for is tried again.
async fn refusal<C: Call>(database: &Caller<C>, query: &str, params: &[PgValue]) -> Option<String> {
    loop {
        match database.query(query, params).await {
            Ok(_) => return None,
            Err(Failure::Database(error)) => return error.code().map(str::to_owned),
            Err(Failure::Call(error)) if error.kind == ErrorKind::Overloaded => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(Failure::Call(error)) => panic!("the call failed: {error}"),
        }
    }
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
async fn a_table_that_a_query_made_for_a_while_is_not_there_for_the_next() {
    let server = Server::start().await;
    let database = caller(server.settings(&[("pool_size", "1")])).await;
    database.query_batch("CREATE TABLE orders (n int)").await.expect("a table");
    for _ in 0..2 {
        database.query("SELECT 1 AS n INTO TEMP orders", &[]).await.expect("it may");
        assert_eq!(value(&database, "SELECT count(*) FROM orders").await, Ok(PgValue::Int8(0)));
    }
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
    let more = "CREATE VIEW open AS SELECT n FROM carts; CREATE VIEW leak WITH (security_barrier) AS SELECT n FROM secrets; \
        CREATE FUNCTION leaked() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM secrets'";
    admin.query_batch(more).await.expect("views");
    for detour in [
        "SELECT * FROM leak",
        "SELECT leaked()",
        "SELECT * FROM public.\"secrets\" AS carts",
        "WITH carts AS (SELECT n FROM secrets) SELECT count(*) FROM carts",
        "SELECT n FROM carts UNION ALL TABLE secrets",
        "SELECT (SELECT count(*) FROM secrets) FROM carts",
        "EXPLAIN ANALYZE SELECT * FROM secrets",
        "DO $$ BEGIN PERFORM n FROM secrets; END $$",
        "SELECT query_to_xml('SELECT * FROM secrets', true, false, '')",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY secrets TO PROGRAM 'cat'",
        "CREATE RULE r AS ON INSERT TO carts DO ALSO SELECT n FROM secrets",
    ] {
        assert_eq!(code(&cart, detour).await, "42501", "{detour}");
    }
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
