//! What a statement may take: time, rows, bytes, connections. And that what is over is over in PostgreSQL, too.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use wattle_core::link::Settings;
use wattle_postgres::{
    PgValue,
    error::{INTERRUPTED, TIMEOUT, TOO_LARGE},
};

use super::{
    SOON,
    link::{caller, caller_within, code, value},
    server::{Server, connections, sleeping, until},
};

#[tokio::test]
async fn a_statement_that_takes_too_long_is_cancelled_and_the_link_goes_on() {
    let server = Server::start().await;
    let watch = server.client().await;
    let limited =
        caller(server.settings(&[("statement_timeout_ms", "1000"), ("pool_size", "1")])).await;
    let hurried = caller_within(server.settings(&[]), Duration::from_secs(1)).await;
    for database in [&limited, &hurried] {
        let started = Instant::now();
        assert_eq!(code(database, "SELECT pg_sleep(60)").await, TIMEOUT);
        let took = started.elapsed();
        println!("cancelled after {took:?}");
        assert!((700..20_000).contains(&took.as_millis()), "{took:?}");
        until(SOON, "cancelled", async || connections(&watch).await.1 == 0).await;
        until(SOON, "it goes on", async || value(database, "SELECT 1").await.is_ok()).await;
    }
}

#[tokio::test]
async fn a_statement_whose_caller_is_gone_is_cancelled() {
    let server = Server::start().await;
    let watch = server.client().await;
    let database = Arc::new(caller(server.settings(&[])).await);
    for text in ["SELECT pg_sleep(60)", "SELECT count(*) FROM generate_series(1, 1000000000000)"] {
        let running = Arc::clone(&database);
        let call = tokio::spawn(async move { running.query(text, &[]).await });
        until(SOON, "it runs", async || connections(&watch).await.1 == 1).await;
        call.abort();
        until(SOON, "cancelled", async || connections(&watch).await.1 == 0).await;
    }
    assert_eq!(value(&database, "SELECT 1").await, Ok(PgValue::Int4(1)));
}

#[tokio::test]
async fn rows_and_bytes_past_the_link_s_limits_are_an_error_and_not_a_part() {
    let server = Server::start().await;
    let watch = server.client().await;
    let limits = [("max_rows", "10"), ("max_result_bytes", "5000"), ("pool_size", "1")];
    let database = caller(server.settings(&limits)).await;
    let rows = |n: u32| format!("SELECT generate_series(1, {n})");
    assert_eq!(database.query(&rows(10), &[]).await.expect("ten").len(), 10);
    assert_eq!(code(&database, &rows(11)).await, TOO_LARGE);
    assert_eq!(code(&database, &rows(2_000_000_000)).await, TOO_LARGE);
    until(SOON, "cancelled", async || connections(&watch).await.1 == 0).await;
    assert!(value(&database, "SELECT repeat('x', 4900)").await.is_ok());
    assert_eq!(code(&database, "SELECT repeat('x', 5100)").await, TOO_LARGE);
    assert_eq!(value(&database, "SELECT 1").await, Ok(PgValue::Int4(1)));
}

#[tokio::test]
async fn numbers_that_say_more_than_they_weigh_are_held_to_what_an_answer_may_have() {
    let server = Server::start().await;
    let database = caller(server.settings(&[("pool_size", "1")])).await;
    for many in [
        "SELECT array_agg(1e131000::numeric) FROM generate_series(1, 250000)",
        "SELECT 1e131000::numeric FROM generate_series(1, 100)",
        "SELECT numrange(1, 1e131000) FROM generate_series(1, 100)",
    ] {
        assert!(database.query(many, &[]).await.is_err(), "{many}");
        assert_eq!(value(&database, "SELECT 1").await, Ok(PgValue::Int4(1)), "after {many}");
    }
    assert!(value(&database, "SELECT 1e131000::numeric").await.is_ok());
}

#[tokio::test]
async fn texts_past_the_links_limit_cost_no_connection() {
    let server = Server::start().await;
    let database = caller(server.settings(&[("pool_size", "1")])).await;
    let backend = value(&database, "SELECT pg_backend_pid()").await;
    let many = "SELECT numrange(1, 1e131000) FROM generate_series(1, 100)";
    assert_eq!(code(&database, many).await, TOO_LARGE);
    assert_eq!(value(&database, "SELECT pg_backend_pid()").await, backend, "the same connection");
}

#[tokio::test]
async fn a_statement_that_cannot_be_sent_is_refused_ahead_of_it() {
    let server = Server::start().await;
    let database = caller(server.settings(&[("pool_size", "1")])).await;
    let backend = value(&database, "SELECT pg_backend_pid()").await;
    let text = "SELECT '\0'";
    let refusals = [
        database.query(text, &[]).await.expect_err("a query").to_string(),
        database.query_batch(text).await.expect_err("a batch").to_string(),
        database.prepare(text).await.expect_err("a statement").to_string(),
    ];
    assert!(refusals.iter().all(|text| text.contains("U+0000")), "{refusals:?}");
    assert_eq!(value(&database, "SELECT pg_backend_pid()").await, backend, "the same connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_has_no_more_connections_than_it_may() {
    const CALLS: usize = 64;
    const POOL: i64 = 4;
    let server = Server::start().await;
    let watch = server.client().await;
    let database = Arc::new(caller(server.settings(&[("pool_size", "4")])).await);
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let database = Arc::clone(&database);
        calls.spawn(async move { value(&database, "SELECT 1 FROM pg_sleep(0.02)").await });
    }
    while !calls.is_empty() {
        let (all, _) = connections(&watch).await;
        assert!(all <= POOL, "{all}");
        while let Some(done) = calls.try_join_next() {
            assert_eq!(done.expect("no panic"), Ok(PgValue::Int4(1)));
        }
    }
    // They are kept, so they show after the calls as well.
    until(SOON, "all of them", async || connections(&watch).await.0 == POOL).await;
}

#[tokio::test]
async fn a_statement_that_talks_to_its_caller_is_refused_and_the_link_goes_on() {
    let server = Server::start().await;
    let database = caller(server.settings(&[("pool_size", "1")])).await;
    database.query_batch("CREATE TABLE t (n int)").await.expect("a table");
    for text in ["COPY t FROM STDIN", "COPY t TO STDOUT"] {
        assert_eq!(code(&database, text).await, INTERRUPTED);
        assert!(database.query_batch(text).await.is_err(), "{text}");
        until(SOON, "it goes on", async || value(&database, "SELECT 1").await.is_ok()).await;
    }
}

#[tokio::test]
async fn a_connection_that_an_administrator_ends_is_replaced() {
    let server = Server::start().await;
    let watch = server.client().await;
    let database = caller(server.settings(&[("pool_size", "1")])).await;
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'under-test'";
    assert_eq!(value(&database, "SELECT 1").await, Ok(PgValue::Int4(1)));
    watch.execute(ended, &[]).await.expect("it may");
    until(SOON, "it goes on", async || value(&database, "SELECT 1").await.is_ok()).await;
    let error = code(&database, "SELECT pg_terminate_backend(pg_backend_pid())").await;
    assert_eq!(error, INTERRUPTED);
    assert_eq!(value(&database, "SELECT 1").await, Ok(PgValue::Int4(1)));
}

#[tokio::test]
async fn a_link_without_a_free_connection_says_so_in_time() {
    let server = Server::start().await;
    let settings: Settings =
        server.settings(&[("pool_size", "1"), ("statement_timeout_ms", "6000")]);
    let database = Arc::new(caller(settings).await);
    let busy = Arc::clone(&database);
    let call = tokio::spawn(async move { value(&busy, "SELECT 1 FROM pg_sleep(4)").await });
    let watch = server.client().await;
    until(SOON, "it runs", async || sleeping(&watch).await == 1).await;
    let queued = caller_of(&database, 3);
    assert_eq!(call.await.expect("no panic"), Ok(PgValue::Int4(1)));
    let ended = queued.join_all().await;
    assert!(
        ended.iter().any(|answer| matches!(answer, Err(error) if error.code() == Some(TIMEOUT))),
        "{ended:?}"
    );
}

fn caller_of<C: wattle_core::call::Call + Send + Sync + 'static>(
    database: &Arc<wattle_postgres::Caller<C>>,
    calls: usize,
) -> JoinSet<Result<PgValue, wattle_postgres::QueryError>> {
    let mut all = JoinSet::new();
    for _ in 0..calls {
        let database = Arc::clone(database);
        all.spawn(async move { value(&database, "SELECT 1 FROM pg_sleep(4)").await });
    }
    all
}
