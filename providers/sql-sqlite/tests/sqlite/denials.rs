//! What no caller may, in all the ways that SQLite has for it.

use wattle_core::{Constraints, call::Call, link::Settings};
use wattle_sql::{Caller, Error, TABLES};

use crate::{
    error, execute,
    link::{caller, callers, file, only},
    number,
};

async fn denied<C: Call>(sql: &Caller<C>, texts: &[&str]) {
    for text in texts {
        for answer in [sql.query(text, &[]).await.map(drop), sql.execute(text, &[]).await.map(drop)]
        {
            assert!(matches!(error(answer), Error::Denied(_)), "{text}");
        }
    }
}

#[tokio::test]
async fn nobody_leaves_the_database_or_touches_the_connection() {
    let dir = tempfile::tempdir().expect("a folder");
    let sql = caller(file(dir.path()));
    let outside = dir.path().join("outside.sqlite");
    let outside = outside.to_str().expect("a folder's name is text");
    denied(
        &sql,
        &[
            &format!("ATTACH DATABASE '{outside}' AS other"),
            "DETACH DATABASE main",
            &format!("VACUUM INTO '{outside}'"),
            "PRAGMA writable_schema = ON",
            "PRAGMA main.journal_mode = DELETE",
            "SELECT load_extension('/tmp/evil')",
            "SELECT 1 WHERE load_extension('/tmp/evil', 'entry') IS NULL",
            "CREATE TEMP TABLE t (x)",
            "CREATE TEMPORARY VIEW v AS SELECT 1",
            "CREATE VIRTUAL TABLE f USING fts5 (x)",
            "SAVEPOINT s",
            "BEGIN IMMEDIATE",
        ],
    )
    .await;
    assert!(!std::path::Path::new(outside).exists());
}

#[tokio::test]
async fn nobody_reads_or_writes_what_sqlite_keeps_about_itself() {
    let dir = tempfile::tempdir().expect("a folder");
    let sql = caller(file(dir.path()));
    execute(&sql, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT)").await;
    execute(&sql, "CREATE VIEW v AS SELECT name FROM sqlite_master").await;
    execute(
        &sql,
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET x = (SELECT sql FROM sqlite_schema); END",
    )
    .await;
    denied(
        &sql,
        &[
            "SELECT name FROM sqlite_master",
            "SELECT count(*) FROM sqlite_master",
            "SELECT 1 FROM main.sqlite_schema AS s",
            "SELECT s.sql FROM t, sqlite_master AS s",
            "SELECT x FROM t WHERE x IN (SELECT sql FROM sqlite_master)",
            "WITH m AS (SELECT sql FROM sqlite_master) SELECT sql FROM m",
            "SELECT name FROM v",
            "SELECT * FROM pragma_table_info('t')",
            "SELECT name FROM pragma_database_list",
            "SELECT * FROM dbstat",
            "SELECT seq FROM sqlite_sequence",
        ],
    )
    .await;
    for change in [
        "INSERT INTO t (x) VALUES ('fires the trigger')",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE t (y)'",
        "DELETE FROM sqlite_master",
        "UPDATE sqlite_sequence SET seq = 0",
        "CREATE TABLE stolen AS SELECT sql FROM sqlite_master",
        "CREATE TABLE wattle_mine (x TEXT)",
        "CREATE INDEX i ON sqlite_master (name)",
    ] {
        let refused = error(sql.execute(change, &[]).await);
        assert!(matches!(refused, Error::Denied(_)), "{change}: {refused:?}");
    }
}

/// The other side of it: what SQLite does to its own tables for a change of the schema is none of the caller's doing.
#[tokio::test]
async fn a_link_without_constraints_changes_the_schema_as_it_likes() {
    let dir = tempfile::tempdir().expect("a folder");
    let sql = caller(file(dir.path()));
    for change in [
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT)",
        "INSERT INTO t (x) VALUES ('a'), ('b')",
        "ALTER TABLE t ADD COLUMN n INTEGER NOT NULL DEFAULT 1 CHECK (n > 0)",
        "ALTER TABLE t RENAME COLUMN x TO y",
        "ALTER TABLE t RENAME TO u",
        "CREATE UNIQUE INDEX i ON u (y)",
        "CREATE VIEW v AS SELECT y FROM u",
        "CREATE TABLE log (y TEXT)",
        "CREATE TRIGGER g AFTER INSERT ON u BEGIN INSERT INTO log VALUES (new.y); END",
        "INSERT INTO u (y) VALUES ('c')",
        "REINDEX i",
        "DROP TRIGGER g",
        "DROP VIEW v",
        "DROP INDEX i",
        "CREATE TABLE copy AS SELECT * FROM u",
        "ALTER TABLE copy DROP COLUMN n",
    ] {
        execute(&sql, change).await;
    }
    assert_eq!(number(&sql, "SELECT count(*) FROM log").await, 1);
    assert_eq!(number(&sql, "SELECT max(id) FROM copy").await, 3);
    execute(&sql, "DROP TABLE u").await;
    assert_eq!(number(&sql, "SELECT value FROM json_each('[7]')").await, 7);
}

#[tokio::test]
async fn a_table_outside_of_the_link_s_is_not_reached_by_detours() {
    let dir = tempfile::tempdir().expect("a folder");
    let caller = callers(file(dir.path()));
    let open = caller(Constraints::new(), Settings::new());
    for make in [
        "CREATE TABLE mine (id INTEGER PRIMARY KEY, x TEXT)",
        "CREATE TABLE watched (x TEXT)",
        "CREATE TABLE secrets (id INTEGER PRIMARY KEY, x TEXT)",
        "CREATE TABLE children (x INTEGER REFERENCES secrets (id))",
        "INSERT INTO secrets (x) VALUES ('secret')",
        "CREATE VIEW view AS SELECT x FROM secrets",
        "CREATE TRIGGER leak AFTER INSERT ON watched BEGIN INSERT INTO mine (x) SELECT x FROM secrets; END",
    ] {
        execute(&open, make).await;
    }
    let link = caller(only(TABLES, &["mine", "watched", "view", "children"]), Settings::new());
    denied(
        &link,
        &[
            "SELECT x FROM secrets",
            "SELECT X FROM SECRETS",
            "SELECT x FROM main.\"secrets\"",
            "SELECT m.x FROM [secrets] AS m",
            "SELECT count(*) FROM secrets AS mine",
            "SELECT rowid FROM secrets",
            "SELECT x FROM view",
            "SELECT count(*) FROM view",
            "SELECT EXISTS (SELECT 1 FROM secrets)",
            "WITH a AS (SELECT * FROM secrets) SELECT count(*) FROM a",
            "WITH RECURSIVE a (x) AS (SELECT 1 UNION SELECT s.id FROM secrets AS s) SELECT x FROM a",
            "SELECT x FROM mine ORDER BY (SELECT x FROM secrets)",
            "SELECT x FROM mine EXCEPT SELECT x FROM secrets",
            "SELECT name FROM sqlite_master",
        ],
    )
    .await;
    for change in [
        "INSERT INTO watched VALUES ('fires the trigger')",
        "INSERT INTO mine (x) SELECT x FROM secrets",
        "UPDATE mine SET x = secrets.x FROM secrets",
        "DELETE FROM mine WHERE x IN (SELECT x FROM secrets)",
        "CREATE TABLE mine2 AS SELECT x FROM mine",
        "INSERT INTO children VALUES (1)", // whether there is such a secret
    ] {
        assert!(matches!(error(link.execute(change, &[]).await), Error::Denied(_)), "{change}");
    }
    assert_eq!(number(&link, "WITH secrets AS (SELECT 5 AS x) SELECT x FROM secrets").await, 5);
    assert_eq!(number(&link, "WITH own AS (SELECT 5) SELECT count(*) FROM own").await, 1);
}

/// Statements are kept prepared on the connection that all links' changes use.
#[tokio::test]
async fn what_one_link_prepared_is_not_another_s() {
    let dir = tempfile::tempdir().expect("a folder");
    let caller = callers(file(dir.path()));
    let open = caller(Constraints::new(), Settings::new());
    let link = caller(only(TABLES, &["mine"]), Settings::new());
    execute(&open, "CREATE TABLE secrets (x TEXT)").await;
    for _ in 0..3 {
        assert_eq!(execute(&open, "DELETE FROM secrets").await, 0);
        let refused = error(link.execute("DELETE FROM secrets", &[]).await);
        assert!(matches!(refused, Error::Denied(_)), "{refused:?}");
    }
}
