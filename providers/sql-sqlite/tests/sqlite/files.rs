//! Files: what a crash leaves, and whose they are.

use std::os::unix::fs::PermissionsExt;

use wattle_sql::Value;
use wattle_sql_sqlite::File;

use crate::{
    execute,
    link::{LEN_MAX, caller, file},
    number,
};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let dir = tempfile::tempdir().expect("a folder");
    let copy = tempfile::tempdir().expect("a folder");
    let sql = caller(file(dir.path()));
    execute(&sql, "CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
    for id in 1..=20 {
        let id = [Value::Integer(id)];
        sql.execute("INSERT INTO t VALUES ($1)", &id).await.expect("acknowledged");
    }
    // A copy of the files while they are open is what a crash leaves: nothing was closed in order.
    for name in ["default.sqlite", "default.sqlite-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).expect("a copy");
    }
    let sql = caller(file(copy.path()));
    assert_eq!(number(&sql, "SELECT count(*) FROM t").await, 20);
}

#[tokio::test]
async fn nobody_else_on_the_machine_reads_a_database() {
    let dir = tempfile::tempdir().expect("a folder");
    let inner = dir.path().join("databases");
    let sql = caller(file(&inner));
    execute(&sql, "CREATE TABLE t (id INTEGER)").await;
    let names = ["default.sqlite", "default.sqlite-wal", "default.sqlite-shm"];
    let files = names.map(|name| (inner.join(name), 0o600));
    for (path, mode) in [(inner, 0o700)].into_iter().chain(files) {
        let found = std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_not_touched() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("default.sqlite");
    let text = b"somebody's letters, which are longer than a header ".repeat(1_000);
    std::fs::write(&path, &text).expect("a file");
    let reason = File::open(&path, LEN_MAX).expect_err("no database").to_string();
    assert!(reason.contains("not a database"), "{reason}");
    assert!(std::fs::read(&path).expect("still there") == text);
}

/// The sqlite3 shell of whoever operates the host, say.
#[tokio::test]
async fn another_process_may_look_and_change_meanwhile() {
    let dir = tempfile::tempdir().expect("a folder");
    let (ours, theirs) = (caller(file(dir.path())), caller(file(dir.path())));
    execute(&ours, "CREATE TABLE t (id INTEGER)").await;
    for _ in 0..50 {
        let insert = "INSERT INTO t VALUES (1)";
        let both = tokio::join!(execute(&ours, insert), execute(&theirs, insert));
        assert_eq!(both, (1, 1));
    }
    assert_eq!(number(&ours, "SELECT count(*) FROM t").await, 100);
}
