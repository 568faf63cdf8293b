//! The provider's own process: killed, told of links that cannot hold, and left with none.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;
use wattle_core::{Constraints, link::Settings};
use wattle_sql::{ACCESS, Failure, Value, conformance};

use crate::{
    ABILITIES, execute,
    link::{only, set},
    number,
    process::Process,
};

fn in_dir(dir: &tempfile::TempDir) -> Settings {
    set("data-dir", dir.path().to_str().expect("a folder's name is text"))
}

#[tokio::test]
async fn the_process_keeps_the_contract() {
    let dir = tempfile::tempdir().expect("a folder");
    let process = Process::start(in_dir(&dir)).await;
    let caller = async |constraints, settings| process.caller(constraints, settings).await;
    conformance::run(caller, ABILITIES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_killed_loses_nothing_that_it_acknowledged() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut process = Process::start(in_dir(&dir)).await;
    let sql = Arc::new(process.caller(Constraints::new(), Settings::new()).await);
    execute(&sql, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
    let mut writers = JoinSet::new();
    let (saying, mut said) = tokio::sync::mpsc::channel(1_000_000);
    for writer in 0..8 {
        let (sql, saying) = (Arc::clone(&sql), saying.clone());
        writers.spawn(async move {
            for n in 0.. {
                let id = Value::Integer(writer * 1_000_000 + n);
                match sql.execute("INSERT INTO t VALUES ($1)", &[id]).await {
                    Ok(_) => saying.try_send(writer * 1_000_000 + n).expect("room"),
                    Err(Failure::Call(_)) => return, // the process is gone
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
    }
    let mut acknowledged = Vec::new();
    while acknowledged.len() < 200 {
        acknowledged.push(said.recv().await.expect("writers write"));
    }
    process.host.kill().await;
    writers.join_all().await;
    while let Ok(id) = said.try_recv() {
        acknowledged.push(id);
    }

    let process = Process::start(in_dir(&dir)).await;
    let sql = process.caller(Constraints::new(), Settings::new()).await;
    for id in acknowledged {
        let find = format!("SELECT count(*) FROM t WHERE id = {id}");
        assert_eq!(number(&sql, &find).await, 1, "{id} was acknowledged");
    }
}

#[tokio::test]
async fn a_link_that_cannot_hold_says_why() {
    let dir = tempfile::tempdir().expect("a folder");
    let process = Process::start(in_dir(&dir)).await;
    let none = Constraints::new;
    for (constraints, settings, words) in [
        (only("key-prefix", &[]), Settings::new(), "key-prefix"),
        (only(ACCESS, &["admin"]), Settings::new(), "admin"),
        (none(), set("database", "../other"), "database"),
        (none(), set("max_rows", "many"), "max_rows"),
        (none(), set("migrations", "migrations"), "absolute"),
        (none(), set("migrations", "/nowhere/migrations"), "/nowhere/migrations"),
    ] {
        let reason = process.put(constraints, settings).await.expect_err(words);
        assert!(reason.contains(words), "{reason}");
    }
}

#[tokio::test]
async fn a_link_brings_its_tables_and_databases_are_apart() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = dir.path().join("migrations");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("0001_t.sql"), "CREATE TABLE t (id INTEGER)").expect("a file");
    let process = Process::start(in_dir(&dir)).await;
    let mut settings = set("migrations", folder.to_str().expect("a folder's name is text"));
    let sql = process.caller(only(ACCESS, &["write"]), settings.clone()).await;
    assert_eq!(execute(&sql, "INSERT INTO t VALUES (1)").await, 1);
    settings.insert("database".to_owned(), "other".to_owned());
    let other = process.caller(only(ACCESS, &["write"]), settings).await;
    assert_eq!(number(&other, "SELECT count(*) FROM t").await, 0);
    assert!(dir.path().join("other.sqlite").exists());
}

#[tokio::test]
async fn links_that_come_and_go_leave_no_files_open_and_no_threads() {
    let dir = tempfile::tempdir().expect("a folder");
    let process = Process::start(in_dir(&dir)).await;
    let pid = process.host.pid();
    let stays = process.caller(Constraints::new(), Settings::new()).await;
    execute(&stays, "CREATE TABLE t (id INTEGER)").await;
    let look = || number(&stays, "SELECT count(*) FROM t");
    tokio::join!(look(), look()); // a link reads with two threads
    round(&process, 0).await;
    let before = used(pid);
    for n in 1..=100 {
        round(&process, n).await;
    }
    // Threads end on their own time, after the link is gone: as soon as they are scheduled. One more that the link which stays got
    // meanwhile ends when it had nothing to do for 30 s.
    let end = Instant::now() + Duration::from_secs(45);
    while Instant::now() < end {
        let now = used(pid);
        if now.0 <= before.0 && now.1 <= before.1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("open files and threads: {:?}, once {before:?}", used(pid));
}

/// A link is put, used in both directions, and deleted; every other one is to a database of its own.
async fn round(process: &Process, n: usize) {
    let database = if n.is_multiple_of(2) { "default".to_owned() } else { format!("db-{n}") };
    let link = process.caller(Constraints::new(), set("database", &database)).await;
    execute(&link, "CREATE TABLE IF NOT EXISTS u (id INTEGER)").await;
    execute(&link, "INSERT INTO u VALUES (1)").await;
    assert!(number(&link, "SELECT count(*) FROM u").await > 0);
    process.delete_last().await;
}

/// Open files and threads of a process.
fn used(pid: u32) -> (usize, usize) {
    let entries = |what| fs::read_dir(format!("/proc/{pid}/{what}")).map_or(0, Iterator::count);
    (entries("fd"), entries("task"))
}
