//! PostgreSQL that dies, hangs or is not there yet.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use wattle_core::call::Call;
use wattle_postgres::{
    Caller, PgValue,
    error::{INTERRUPTED, TIMEOUT, UNAVAILABLE},
};

use super::{
    SOON,
    link::{caller, code, is_down, value},
    process::Process,
    server::{Server, connections, sleeping, until},
};

/// What "at once" means on a busy machine: far less than a call waits for its deadline.
const AT_ONCE: Duration = Duration::from_secs(5);

/// How long a call may take while PostgreSQL hangs: the link says 1 s, and the deadline would be 20 s.
const STALLED_CALL: Duration = Duration::from_secs(8);

/// How long PostgreSQL hangs.
const STALL: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_killed_postgres_fails_calls_at_once_and_serves_again_soon_after_its_return() {
    let mut server = Server::start().await;
    let database = caller(server.settings(&[])).await;
    assert_eq!(value(&database, "SELECT 1").await, Ok(PgValue::Int4(1)));
    server.kill();
    until(SOON, "down", async || is_down(&database).await).await;
    for _ in 0..10 {
        let started = Instant::now();
        assert_eq!(code(&database, "SELECT 1").await, UNAVAILABLE);
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    }
    server.restart().await;
    serves_soon(&database).await;
}

#[tokio::test]
async fn calls_under_way_all_end_typed_when_postgres_dies() {
    let mut server = Server::start().await;
    let watch = server.client().await;
    let database = Arc::new(caller(server.settings(&[("pool_size", "4")])).await);
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let database = Arc::clone(&database);
        calls.spawn(async move { code(&database, "SELECT pg_sleep(60)").await });
    }
    until(SOON, "four run", async || sleeping(&watch).await == 4).await;
    server.kill();
    let ended = tokio::time::timeout(SOON, calls.join_all()).await.expect("no call hangs");
    let interrupted = ended.iter().filter(|code| *code == INTERRUPTED).count();
    let unavailable = ended.iter().filter(|code| *code == UNAVAILABLE).count();
    assert_eq!((interrupted, unavailable), (4, 16), "{ended:?}");
    server.restart().await; // so that it can end in order, and leaves nothing behind
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let mut server = Server::start().await;
    let database = caller(server.settings(&[])).await;
    database.query_batch("CREATE TABLE kept (n int4)").await.expect("a table");
    let insert = database.prepare("INSERT INTO kept VALUES ($1)").await.expect("a token");
    for n in 0..100 {
        assert_eq!(database.exec(&insert, &[PgValue::Int4(n)]).await, Ok(1));
    }
    server.kill();
    server.restart().await;
    serves_soon(&database).await;
    assert_eq!(value(&database, "SELECT count(*) FROM kept").await, Ok(PgValue::Int8(100)));
    assert_eq!(database.exec(&insert, &[PgValue::Int4(100)]).await, Ok(1), "the token, too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_postgres_fails_calls_in_time_and_piles_up_no_connections() {
    let server = Server::start().await;
    let limits = [("pool_size", "3"), ("statement_timeout_ms", "1000")];
    let database = Arc::new(caller(server.settings(&limits)).await);
    assert_eq!(value(&database, "SELECT 1").await, Ok(PgValue::Int4(1)));
    server.freeze();
    let end = Instant::now() + STALL;
    while Instant::now() < end {
        let mut calls = JoinSet::new();
        for _ in 0..10 {
            let database = Arc::clone(&database);
            calls.spawn(async move {
                let started = Instant::now();
                (code(&database, "SELECT 1").await, started.elapsed())
            });
        }
        for (code, took) in calls.join_all().await {
            assert!([TIMEOUT, UNAVAILABLE].contains(&code.as_str()), "{code}");
            assert!(took < STALLED_CALL, "{took:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await; // callers that try again, not a wait
    }
    server.thaw();
    serves_soon(&database).await;
    let watch = server.client().await;
    until(SOON, "few connections", async || connections(&watch).await.0 <= 3).await;
}

#[tokio::test]
async fn a_link_holds_although_postgres_is_down_and_works_once_it_is_there() {
    let mut server = Server::start().await;
    server.kill();
    let database = caller(server.settings(&[])).await;
    assert_eq!(code(&database, "SELECT 1").await, UNAVAILABLE);
    assert!(database.prepare("SELECT 1").await.is_err());
    server.restart().await;
    serves_soon(&database).await;
}

#[tokio::test]
async fn kills_and_links_that_come_and_go_leave_nothing_behind() {
    const LINKS: usize = 100;
    const KILLS: usize = 5;
    let mut server = Server::start().await;
    let process = Process::start().await;
    let config = server.settings(&[("pool_size", "2")]);
    let put = async || process.put([].into(), config.clone()).await.expect("a link");
    let database = put().await;
    assert_eq!(value(&database, "SELECT 1").await, Ok(PgValue::Int4(1)));
    process.delete_last().await;
    let watch = server.client().await;
    until(SOON, "closed", async || connections(&watch).await.0 == 0).await;
    let files = process.open_files();
    for _ in 0..LINKS {
        let database = put().await;
        assert_eq!(value(&database, "SELECT 1").await, Ok(PgValue::Int4(1)));
        process.delete_last().await;
    }
    until(SOON, "closed", async || connections(&watch).await.0 == 0).await;
    until(SOON, "no files", async || process.open_files() <= files).await;

    let database = put().await;
    for _ in 0..KILLS {
        assert_eq!(value(&database, "SELECT 1").await, Ok(PgValue::Int4(1)));
        server.kill();
        until(SOON, "down", async || is_down(&database).await).await;
        server.restart().await;
        serves_soon(&database).await;
    }
    process.delete_last().await;
    until(SOON, "no files", async || process.open_files() <= files).await;
}

async fn serves_soon<C: Call>(database: &Caller<C>) {
    until(SOON, "it serves again", async || value(database, "SELECT 1").await.is_ok()).await;
}
