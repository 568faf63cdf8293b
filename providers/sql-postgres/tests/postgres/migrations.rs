//! Migrations: applied once, in order, and whole, ahead of every call.

use std::{fs, path::PathBuf};

use wattle_core::{Constraints, link::Settings};
use wattle_postgres::{PgValue, error::UNAVAILABLE};
use wattle_sql::migrations::MIGRATIONS;

use super::{
    SOON,
    link::{caller, code, link, value},
    process::Process,
    server::{Server, until},
};

const MAKE: (&str, &str) = (
    "0001_make.sql",
    "-- What a cart is; two statements.\nCREATE TABLE carts (id int PRIMARY KEY);\nINSERT INTO carts VALUES (1), (2);\n",
);
const PRICE: (&str, &str) = (
    "0002_price.sql",
    "ALTER TABLE carts ADD COLUMN price int NOT NULL DEFAULT 5 CHECK (price > 0);",
);

struct Fixture {
    server: Server,
    dir: tempfile::TempDir,
}

impl Fixture {
    async fn new(files: &[(&str, &str)]) -> Self {
        let fixture =
            Self { server: Server::start().await, dir: tempfile::tempdir().expect("a folder") };
        files.iter().for_each(|(name, text)| fixture.write(name, text));
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    fn settings(&self) -> Settings {
        self.with(self.dir.path().to_str().expect("a folder's name is text"))
    }

    fn with(&self, migrations: &str) -> Settings {
        self.server.settings(&[(MIGRATIONS, migrations)])
    }

    async fn reason(&self) -> String {
        link(&self.settings()).await.err().expect("they do not fit")
    }

    async fn number(&self, query: &str) -> i64 {
        self.server.client().await.query_one(query, &[]).await.expect("a number").get(0)
    }
}

#[tokio::test]
async fn each_migration_is_applied_once_and_in_order_from_a_folder_or_from_the_link_itself() {
    let fixture = Fixture::new(&[PRICE, MAKE]).await;
    for _ in 0..3 {
        let database = caller(fixture.settings()).await;
        let sum = value(&database, "SELECT sum(price) FROM carts").await;
        assert_eq!(sum, Ok(PgValue::Int8(10)), "inserted once");
    }
    let more = ("0003_more.sql", "INSERT INTO carts (id) VALUES (3)");
    let text: String =
        [MAKE, PRICE, more].map(|(name, text)| format!("-- {name}\n{text}\n\n")).concat();
    for _ in 0..2 {
        caller(fixture.with(&text)).await;
    }
    assert_eq!(fixture.number("SELECT count(*) FROM carts").await, 3);
    fixture.write(more.0, more.1);
    caller(fixture.settings()).await; // it is the same
}

#[tokio::test]
async fn what_does_not_belong_to_what_was_applied_is_named() {
    let fixture = Fixture::new(&[MAKE, PRICE]).await;
    caller(fixture.settings()).await;
    fixture.write(MAKE.0, "CREATE TABLE carts (id text)");
    let reason = fixture.reason().await;
    assert!(reason.contains("0001_make.sql") && reason.contains("changed"), "{reason}");
    fixture.write(MAKE.0, MAKE.1);
    caller(fixture.settings()).await;
    fs::remove_file(fixture.path(MAKE.0)).expect("it is there");
    assert!(fixture.reason().await.contains("0001_make.sql"));
    fixture.write(MAKE.0, MAKE.1);
    fs::remove_file(fixture.path(PRICE.0)).expect("it is there");
    caller(fixture.settings()).await; // an application that was rolled back
}

#[tokio::test]
async fn a_migration_that_fails_says_where_and_leaves_nothing_of_itself() {
    let fixture = Fixture::new(&[MAKE]).await;
    let process = Process::start().await;
    for (text, line, state) in [
        ("CREATE TABLE a (x int);\n\nCREATE TABEL b (x int);\n", ", line 3: ", "42601"),
        ("CREATE TABLE a (x int); -- ä\nINSERT INTO nowhere\nVALUES (1);\n", ", line 2: ", "42P01"),
        ("CREATE TABLE a (x int);\nINSERT INTO carts VALUES (1);\n", "0002_fails.sql: ", "23505"),
        ("CREATE TABLE a (x int); COMMIT;", "0002_fails.sql: ", "0A000"),
        ("CREATE TABLE a (x int); ROLLBACK; SELECT 1", "0002_fails.sql: ", "0A000"),
        ("BEGIN; CREATE TABLE a (x int); END", "0002_fails.sql: ", "0A000"),
        ("CREATE TABLE a (x int); COPY a FROM STDIN", "0002_fails.sql: ", "0A000"),
        ("CREATE TABLE a (x int); CREATE INDEX CONCURRENTLY i ON carts (id)", "sql: ", "25001"),
        ("CREATE TABLE a (x int); $w$ $w", ", line 1: ", "42601"),
    ] {
        fixture.write("0002_fails.sql", text);
        let put =
            process.put_on(wattle_sql::INTERFACES, Constraints::new(), fixture.settings()).await;
        let reason = put.expect_err("it fails");
        assert!(reason.contains("0002_fails.sql"), "{text}: {reason}");
        assert!(reason.contains(&format!("{line}{state}")), "{text}: {reason}");
        assert_eq!(fixture.number("SELECT count(to_regclass('a'))").await, 0, "{text}");
        assert_eq!(fixture.number("SELECT count(*) FROM wattle_migrations").await, 1, "{text}");
        assert_eq!(fixture.number("SELECT count(*) FROM carts").await, 2, "the first one stays");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_start_at_once_apply_the_same_migrations_once() {
    let slow = "SELECT pg_sleep(0.3); INSERT INTO carts VALUES (3)";
    let fixture = Fixture::new(&[MAKE, ("0002_slow.sql", slow)]).await;
    let serializable = "ALTER ROLE postgres SET default_transaction_isolation = 'serializable'";
    fixture.server.client().await.batch_execute(serializable).await.expect("a setting");
    let settings = fixture.settings();
    let all = (0..4).map(|_| link(&settings));
    let done = futures::future::join_all(all).await;
    assert!(done.iter().all(Result::is_ok), "applied by one of them");
    assert_eq!(fixture.number("SELECT count(*) FROM carts").await, 3);
}

#[tokio::test]
async fn a_link_that_is_put_while_postgres_is_down_is_migrated_before_it_serves() {
    let mut fixture = Fixture::new(&[MAKE]).await;
    fixture.server.kill();
    let database = caller(fixture.settings()).await;
    assert_eq!(code(&database, "SELECT 1").await, UNAVAILABLE);
    fixture.server.restart().await;
    let count = "SELECT count(*) FROM carts";
    until(SOON, "migrated", async || value(&database, count).await == Ok(PgValue::Int8(2))).await;

    fixture.write(PRICE.0, "ALTER TABLE cards ADD COLUMN price int");
    fixture.server.kill();
    let database = caller(fixture.settings()).await;
    fixture.server.restart().await;
    until(SOON, "it says why", async || {
        let error = value(&database, "SELECT 1").await.expect_err("never ahead of a migration");
        assert_eq!(error.code(), Some(UNAVAILABLE), "{error}");
        error.text().contains("0002_price.sql: 42P01")
    })
    .await;
    fixture.write(PRICE.0, PRICE.1);
    until(SOON, "mended", async || value(&database, "SELECT price FROM carts").await.is_ok()).await;
}

#[tokio::test]
async fn what_a_migration_sets_is_there_for_nobody_else() {
    let fixture = Fixture::new(&[MAKE]).await;
    fixture.write(
        "0002_set.sql",
        "CREATE SCHEMA other; SET search_path TO other; CREATE TABLE moved (n int)",
    );
    fixture.write("0003_more.sql", "INSERT INTO carts VALUES (3)");
    let mut settings = fixture.settings();
    settings.insert("pool_size".to_owned(), "1".to_owned());
    let database = caller(settings).await;
    assert_eq!(value(&database, "SELECT count(*) FROM carts").await, Ok(PgValue::Int8(3)));
    assert!(value(&database, "SELECT count(*) FROM moved").await.is_err());
    fixture.write("0004_role.sql", "SET search_path TO other; SET ROLE pg_monitor");
    let reason = fixture.reason().await;
    assert!(reason.contains("record") && reason.contains("42501"), "{reason}");
    assert_eq!(fixture.number("SELECT count(*) FROM wattle_migrations").await, 3);
}

#[tokio::test]
async fn a_login_that_makes_nothing_is_enough_where_all_is_applied() {
    let fixture = Fixture::new(&[MAKE]).await;
    caller(fixture.settings()).await;
    let grant = "CREATE ROLE cart LOGIN PASSWORD 'wagen'; REVOKE CREATE ON SCHEMA public FROM PUBLIC; \
        GRANT SELECT ON carts, wattle_migrations TO cart";
    fixture.server.client().await.batch_execute(grant).await.expect("a user");
    let mut settings = fixture.settings();
    settings.insert("POSTGRES_USERNAME".to_owned(), "cart".to_owned());
    settings.insert("POSTGRES_PASSWORD".to_owned(), "wagen".to_owned());
    let database = caller(settings.clone()).await;
    assert_eq!(value(&database, "SELECT count(*) FROM carts").await, Ok(PgValue::Int8(2)));
    fixture.write(PRICE.0, PRICE.1);
    let reason = link(&settings).await.err().expect("it may not");
    assert!(reason.contains("0002_price.sql") && reason.contains("42501"), "{reason}");
}
