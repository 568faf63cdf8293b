//! Links beside each other: who waits for whom, and who does not.

use std::{
    hint,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use wattle_core::{Constraints, link::Settings};
use wattle_sql::{Caller, Error, Failure, Value};

use crate::{
    beside::assert_not_slowed,
    error, execute,
    link::{Link, caller, callers, file, set},
    number,
    process::Process,
};

const ENDLESS: &str =
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT count(*) FROM n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_without_end_ends_at_its_time_and_others_go_on_meanwhile() {
    let dir = tempfile::tempdir().expect("a folder");
    let caller = callers(file(dir.path()));
    let open = caller(Constraints::new(), Settings::new());
    let slow = Arc::new(caller(Constraints::new(), set("statement_timeout_ms", "15000")));
    execute(&open, "CREATE TABLE t (id INTEGER)").await;
    let began = Instant::now();
    let mut endless = JoinSet::new();
    for _ in 0..8 {
        let slow = Arc::clone(&slow);
        endless.spawn(async move { error(slow.query(ENDLESS, &[]).await) });
    }
    for done in 1..=11 {
        execute(&open, "INSERT INTO t VALUES (1)").await;
        assert_eq!(number(&open, "SELECT count(*) FROM t").await, done);
    }
    println!(
        "eleven changes and reads took {:?}, beside eight queries without end",
        began.elapsed()
    );
    assert!(endless.try_join_next().is_none(), "they are under way still");
    let ended = endless.join_all().await;
    assert!(ended.iter().all(|error| matches!(error, Error::Timeout(_))), "{ended:?}");
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "those that waited ended at their time, too"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_whose_database_is_busy_does_not_slow_one_to_another_database() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().to_str().expect("a folder's name is text");
    let process = Process::start(set("dir", folder)).await;
    let put = async |database: &str| {
        let mut settings = set("database", database);
        settings.insert("statement_timeout_ms".to_owned(), "2000".to_owned());
        process.caller(Constraints::new(), settings).await
    };
    let (quick, busy) = (put("quick").await, Arc::new(put("busy").await));
    for sql in [&quick, &*busy] {
        execute(sql, "CREATE TABLE t (id INTEGER)").await;
        execute(sql, "INSERT INTO t VALUES (1)").await;
    }
    // Two queries and a change without end, more than two processors can do at once, and a change that waits.
    let change = Arc::new(format!("INSERT INTO t {ENDLESS}"));
    let pile_up = async || {
        let mut calls = JoinSet::new();
        for _ in 0..2 {
            let (reading, changing) = (Arc::clone(&busy), Arc::clone(&busy));
            let change = Arc::clone(&change);
            calls.spawn(async move { reading.query(ENDLESS, &[]).await.map(drop) });
            calls.spawn(async move { changing.execute(&change, &[]).await.map(drop) });
        }
        calls
    };
    let reads = async || assert_eq!(number(&quick, "SELECT count(*) FROM t").await, 1);
    assert_not_slowed(reads, pile_up).await;
    let changes = async || assert_eq!(execute(&quick, "UPDATE t SET id = id + 1").await, 1);
    assert_not_slowed(changes, pile_up).await;
}

#[tokio::test]
async fn a_long_statement_comes_to_its_end_beside_threads_that_compute_all_the_time() {
    const LONG: &str = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000000) \
                        SELECT count(*) FROM n";
    let dir = tempfile::tempdir().expect("a folder");
    let sql = caller(file(dir.path()));
    let took = async || {
        let began = Instant::now();
        assert_eq!(number(&sql, LONG).await, 1_000_000);
        began.elapsed()
    };
    let alone = took().await;
    let lasting = Arc::new(());
    for _ in 0..thread::available_parallelism().expect("a number").get() {
        let lasting = Arc::downgrade(&lasting);
        thread::spawn(move || {
            while lasting.strong_count() > 0 {
                hint::spin_loop();
            }
        });
    }
    let beside = took().await;
    println!("a long statement took {alone:?} alone, {beside:?} beside a thread per processor");
    assert!(beside < alone * 30, "{alone:?} alone, {beside:?} beside");
}

/// Both would be in one transaction, and a transaction has one end.
#[tokio::test]
async fn a_short_change_does_not_wait_for_a_long_one_that_came_later() {
    let dir = tempfile::tempdir().expect("a folder");
    let caller = callers(file(dir.path()));
    let timed = |time| caller(Constraints::new(), set("statement_timeout_ms", time));
    let (first, short, long) = (timed("300"), timed("15000"), timed("15000"));
    execute(&short, "CREATE TABLE t (id INTEGER)").await;
    let endless = format!("INSERT INTO t {ENDLESS}");
    let began = Instant::now();
    let short = async {
        execute(&short, "INSERT INTO t VALUES (1)").await;
        began.elapsed()
    };
    // The first keeps the file busy until the others wait behind it, in this order.
    let (first, short, long) =
        tokio::join!(first.execute(&endless, &[]), short, long.execute(&endless, &[]));
    assert!(matches!((error(first), error(long)), (Error::Timeout(_), Error::Timeout(_))));
    assert!(short < Duration::from_secs(10), "{short:?}, and the long one took 15 s");
    assert!(began.elapsed() >= Duration::from_secs(14), "which it had");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_that_nobody_waits_for_is_stopped() {
    let dir = tempfile::tempdir().expect("a folder");
    let sql = caller(file(dir.path()));
    for _ in 0..10 {
        let given_up = tokio::time::timeout(Duration::from_millis(50), sql.query(ENDLESS, &[]));
        assert!(given_up.await.is_err(), "it has no end");
    }
    let began = Instant::now();
    assert_eq!(number(&sql, "SELECT 1").await, 1);
    assert!(began.elapsed() < Duration::from_secs(15), "its threads were free again");
}

#[tokio::test]
async fn more_than_may_wait_is_refused_at_once_and_the_rest_is_done() {
    const CALLS: usize = 2_000;
    let dir = tempfile::tempdir().expect("a folder");
    let caller = callers(file(dir.path()));
    let sql = Arc::new(caller(Constraints::new(), Settings::new()));
    let long = caller(Constraints::new(), set("statement_timeout_ms", "1000"));
    execute(&sql, "CREATE TABLE t (b BLOB)").await;
    // The one thread that changes the file is busy with this while the others come.
    let busy =
        tokio::spawn(
            async move { error(long.execute(&format!("INSERT INTO t {ENDLESS}"), &[]).await) },
        );
    let blob = [Value::Blob(vec![7; 100_000])];
    let mut calls = JoinSet::new();
    for _ in 0..CALLS {
        let (sql, blob) = (Arc::clone(&sql), blob.clone());
        let insert = "INSERT INTO t VALUES (substr($1, 1, 10))";
        calls.spawn(async move { sql.execute(insert, &blob).await });
    }
    let ended = calls.join_all().await;
    assert!(matches!(busy.await.expect("no panic"), Error::Timeout(_)));
    let done = ended.iter().filter(|answer| **answer == Ok(1)).count();
    let overloaded =
        |answer: &&Result<u64, Failure>| matches!(answer, Err(Failure::Sql(Error::Overloaded(_))));
    let refused = ended.iter().filter(overloaded).count();
    assert!(done > 0 && refused > 0 && done + refused == CALLS, "{done} + {refused}");
    let kept = number(&sql, "SELECT count(*) FROM t").await;
    assert_eq!(kept, done as i64, "what was refused was not done");
}

#[tokio::test]
async fn a_file_does_not_grow_past_its_limit() {
    let dir = tempfile::tempdir().expect("a folder");
    let sql = caller(file(dir.path()));
    execute(&sql, "CREATE TABLE t (b BLOB)").await;
    let fill = fill(&sql).await;
    assert!(matches!(fill, Error::Unavailable(_)), "{fill:?}");
    assert!(number(&sql, "SELECT count(*) FROM t").await > 0, "it can still be read");
    execute(&sql, "DELETE FROM t").await;
    execute(&sql, "INSERT INTO t VALUES (zeroblob(1000000))").await;
}

async fn fill(sql: &Caller<Link>) -> Error {
    loop {
        if let Err(failure) = sql.execute("INSERT INTO t VALUES (randomblob(3000000))", &[]).await {
            return error(Err::<u64, _>(failure));
        }
    }
}
