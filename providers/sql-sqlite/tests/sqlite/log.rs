//! The write-ahead log, which reads that overlap keep SQLite from beginning anew.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::{task::JoinSet, time::sleep};
use wattle_core::{Constraints, call::Call, link::Settings};
use wattle_sql::{ACCESS, Caller, Error, Failure};

use crate::{
    error, execute,
    link::{LEN_MAX, caller, callers, file, only, set},
    number,
};

/// Twice the length at which a log has to become empty, and the changes of one transaction.
const LOG_LEN_MAX: u64 = LEN_MAX / 8 * 2 + 4 * 1024 * 1024;

/// It reads a table, and goes on.
const ENDLESS: &str = "WITH RECURSIVE n (x) AS (SELECT count(*) FROM t UNION ALL SELECT x FROM n) SELECT count(*) FROM n";

/// How soon changes go on once the last reader is gone: they look every 10 s, on a quiet machine.
const SOON: Duration = Duration::from_secs(30);

fn log_len(dir: &Path) -> u64 {
    fs::metadata(dir.join("default.sqlite-wal")).expect("a log").len()
}

async fn insert<C: Call>(sql: &Caller<C>) -> Result<u64, Failure> {
    sql.execute("INSERT INTO t VALUES (zeroblob(1000000))", &[]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_overlap_all_the_time_do_not_let_the_log_grow() {
    const CHANGES: usize = 60;
    let dir = tempfile::tempdir().expect("a folder");
    let caller = callers(file(dir.path()));
    let open = caller(Constraints::new(), Settings::new());
    let slow = Arc::new(caller(only(ACCESS, &["read"]), set("statement_timeout_ms", "2000")));
    execute(&open, "CREATE TABLE t (b BLOB)").await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for later in [0, 1] {
        let (slow, is_over) = (Arc::clone(&slow), Arc::clone(&is_over));
        readers.spawn(async move {
            sleep(Duration::from_secs(later)).await; // so that one begins in the middle of the other
            let mut ends = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                ends.push(error(slow.query(ENDLESS, &[]).await));
            }
            ends
        });
    }
    let mut longest = 0;
    for _ in 0..CHANGES {
        assert_eq!(insert(&open).await, Ok(1));
        assert_eq!(execute(&open, "DELETE FROM t").await, 1);
        longest = longest.max(log_len(dir.path()));
    }
    is_over.store(true, Ordering::Relaxed);
    let ends = readers.join_all().await.concat();
    let gave_way = ends.iter().filter(|end| matches!(end, Error::Conflict(_))).count();
    println!("{longest} bytes of log at most; {gave_way} of {} reads gave way", ends.len());
    assert!(longest < LOG_LEN_MAX, "{longest} bytes, of {CHANGES} MB written");
    let ended = |end: &Error| matches!(end, Error::Conflict(_) | Error::Timeout(_));
    assert!(gave_way > 0 && ends.iter().all(ended), "{ends:?}");
    assert_eq!(number(&open, "SELECT count(*) FROM t").await, 0, "short reads do not mind");
}

/// A shell with a transaction that was left open, say.
#[tokio::test]
async fn a_process_that_reads_for_ever_costs_changes_and_not_the_disk() {
    let dir = tempfile::tempdir().expect("a folder");
    let sql = caller(file(dir.path()));
    execute(&sql, "CREATE TABLE t (b BLOB)").await;
    let reader = Connection::open(dir.path().join("default.sqlite")).expect("the same database");
    reader.execute_batch("BEGIN; SELECT count(*) FROM t").expect("a read that stays open");
    let refused = loop {
        match insert(&sql).await {
            Ok(_) => assert!(log_len(dir.path()) < LOG_LEN_MAX, "{} bytes", log_len(dir.path())),
            refused => break error(refused),
        }
    };
    assert!(matches!(refused, Error::Unavailable(_)), "{refused:?}");
    assert!(number(&sql, "SELECT count(*) FROM t").await > 0, "it can still be read");
    drop(reader);
    let began = Instant::now();
    while insert(&sql).await.is_err() {
        assert!(began.elapsed() < SOON, "changes go on");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(log_len(dir.path()) < LOG_LEN_MAX / 2, "{} bytes", log_len(dir.path()));
}
