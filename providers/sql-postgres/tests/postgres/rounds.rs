//! A hundred times killed and started again, under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use wattle_core::{Constraints, call::Call};
use wattle_postgres::{
    Failure, PgValue,
    error::{INTERRUPTED, TIMEOUT, UNAVAILABLE},
};
use wattle_sql::{Error, Value};

use super::{
    SOON,
    link::value,
    process::Process,
    server::{Server, connections, until},
};

const ROUNDS: usize = 100;

/// Callers of each link.
const WRITERS: usize = 4;

const POOL: usize = 3;

/// What is promised for a PostgreSQL that is back. It counts for half of the rounds; one may meet a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// How long a call may take: its deadline is 10 s, and while PostgreSQL is known to be down it should fail at once.
const CALL_MAX: Duration = Duration::from_secs(15);

/// What a caller tries again after.
const PAUSE: Duration = Duration::from_millis(20);

/// What the writers have in common.
#[derive(Default)]
struct Load {
    next: AtomicI64,
    acknowledged: AtomicUsize,
    is_over: AtomicBool,
}

impl Load {
    /// Writes one row after the other, and gives those that were acknowledged.
    async fn write<F>(self: Arc<Self>, insert: impl Fn(i64) -> F + Send) -> Vec<i64>
    where
        F: Future<Output = Result<(), String>> + Send,
    {
        let mut acknowledged = Vec::new();
        while !self.is_over.load(Ordering::Relaxed) {
            let (n, began) = (self.next.fetch_add(1, Ordering::Relaxed), Instant::now());
            match insert(n).await {
                Ok(()) => {
                    acknowledged.push(n);
                    self.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                Err(untyped) if !untyped.is_empty() => panic!("{untyped}"),
                Err(_typed) => tokio::time::sleep(PAUSE).await,
            }
            assert!(began.elapsed() < CALL_MAX, "{:?}", began.elapsed());
        }
        acknowledged
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_under_load_lose_nothing_that_was_acknowledged_and_leak_nothing() {
    let mut server = Server::start().await;
    let make = "CREATE TABLE kept (n bigint PRIMARY KEY)";
    server.client().await.batch_execute(make).await.expect("a table");
    let process = Process::start().await;
    let settings = server.settings(&[("pool_size", &POOL.to_string())]);
    let theirs = process.put(Constraints::new(), settings.clone()).await.expect("a link");
    let ours = process.put_on(wattle_sql::INTERFACES, Constraints::new(), settings).await;
    let (theirs, ours) =
        (Arc::new(theirs), Arc::new(wattle_sql::Caller::new(ours.expect("a link"))));
    let (load, mut writers) = (Arc::new(Load::default()), JoinSet::new());
    for _ in 0..WRITERS {
        let link = Arc::clone(&theirs);
        writers.spawn(Arc::clone(&load).write(move |n| insert(Arc::clone(&link), n)));
        let link = Arc::clone(&ours);
        writers.spawn(Arc::clone(&load).write(move |n| insert_portably(Arc::clone(&link), n)));
    }
    let (mut back, mut files) = (Vec::with_capacity(ROUNDS), 0);
    for round in 0..ROUNDS {
        let before = load.acknowledged.load(Ordering::Relaxed);
        let written = async || load.acknowledged.load(Ordering::Relaxed) > before + WRITERS;
        until_quietly(SOON, written).await;
        server.kill();
        server.restart().await;
        let began = Instant::now();
        until_quietly(SOON, async || value(&theirs, "SELECT 1").await.is_ok()).await;
        back.push(began.elapsed());
        if round == 10 {
            files = process.open_files();
        }
    }
    load.is_over.store(true, Ordering::Relaxed);
    let acknowledged: Vec<i64> = writers.join_all().await.into_iter().flatten().collect();
    back.sort();
    println!(
        "{} rows acknowledged in {ROUNDS} rounds; it serves {:?} after its return (median), {:?} at most",
        acknowledged.len(),
        back[ROUNDS / 2],
        back[ROUNDS - 1]
    );
    assert!(back[ROUNDS / 2] <= BACK_WITHIN, "{:?}", back[ROUNDS / 2]);

    let watch = server.client().await;
    let lost = "SELECT count(*) FROM unnest($1::bigint[]) AS a (n) WHERE NOT EXISTS (SELECT FROM kept WHERE kept.n = a.n)";
    let lost: i64 = watch.query_one(lost, &[&acknowledged]).await.expect("it is up").get(0);
    assert_eq!(lost, 0, "of {}", acknowledged.len());
    let open = async || connections(&watch).await.0;
    until(SOON, "no more connections than two links may have", async || {
        open().await <= 2 * POOL as i64
    })
    .await;
    until(SOON, "no more files than after ten rounds", async || {
        process.open_files() <= files + 2 * POOL
    })
    .await;
}

/// An empty error is one of the contract's; any other is what it should not be.
async fn insert<C: Call>(link: Arc<wattle_postgres::Caller<C>>, n: i64) -> Result<(), String> {
    match link.query("INSERT INTO kept VALUES ($1)", &[PgValue::Int8(n)]).await {
        Ok(_) => Ok(()),
        Err(Failure::Database(error)) => match error.code() {
            // 57P: it shuts down, or starts.
            Some(code) if code.starts_with("57P") => Err(String::new()),
            Some(UNAVAILABLE | INTERRUPTED | TIMEOUT) => Err(String::new()),
            _ => Err(error.to_string()),
        },
        Err(Failure::Call(error)) => Err(error.to_string()),
    }
}

async fn insert_portably<C: Call>(link: Arc<wattle_sql::Caller<C>>, n: i64) -> Result<(), String> {
    match link.execute("INSERT INTO kept VALUES ($1)", &[Value::Integer(n)]).await {
        Ok(_) => Ok(()),
        Err(wattle_sql::Failure::Sql(
            Error::Unavailable(_) | Error::Interrupted(_) | Error::Timeout(_),
        )) => Err(String::new()),
        Err(other) => Err(other.to_string()),
    }
}

/// [`until`] without a line for each of a hundred rounds.
async fn until_quietly(wait: Duration, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < wait, "not within {wait:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
