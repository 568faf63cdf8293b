//! The same actor on SQLite and on PostgreSQL, and one that asks PostgreSQL in its own types.

use std::{path::Path, time::Duration};

use wattle_testing::{Guest, Lattice, Postgres, Site, eventually, http};

const SQL: &str = "wattle:sql/sql";
const POSTGRES: &str = "wasmcloud:postgres/query";
const PREPARED: &str = "wasmcloud:postgres/prepared";

fn migrations() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/todo/migrations");
    format!("migrations={}", folder.canonicalize().expect("it is there").display())
}

async fn request(todo: &Site, method: &str, path: &str, body: &str) -> (u16, String) {
    let answer = http(&todo.address, method, path, &[], body.as_bytes()).await.expect("an answer");
    (answer.status, answer.text())
}

async fn assert_keeps_a_list(todo: &Site) {
    assert_eq!(request(todo, "GET", "/", "").await, (200, String::new()));
    assert_eq!(request(todo, "POST", "/", "write").await, (201, "1\n".to_owned()));
    assert_eq!(request(todo, "POST", "/", "räd").await, (201, "2\n".to_owned()));
    assert_eq!(request(todo, "POST", "/", " ").await.0, 422);
    assert_eq!(request(todo, "PUT", "/1", "").await.0, 204);
    assert_eq!(request(todo, "PUT", "/9", "").await.0, 404);
    let list = "1 [x] write\n2 [ ] räd\n".to_owned();
    assert_eq!(request(todo, "GET", "/", "").await, (200, list));
    assert_eq!(request(todo, "DELETE", "/1", "").await.0, 204);
    let many = (0..8).map(|_| async { request(todo, "POST", "/", "at once").await.0 });
    let added = futures::future::join_all(many).await;
    assert!(added.iter().all(|status| *status == 201), "{added:?}");
    assert_eq!(request(todo, "GET", "/", "").await.1.lines().count(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_actor_runs_on_both_databases() {
    let postgres = Postgres::start().await;
    let lattice = Lattice::start().await;
    lattice.provider("sql-sqlite").await;
    lattice.provider("sql-postgres").await;
    let todo = lattice.serve(Guest::Todo, "todo").await;

    lattice.link("todo", "sql-sqlite", SQL, &["--target", &migrations()]).await;
    assert_keeps_a_list(&todo).await;

    lattice.wattle(&["link", "del", "todo", "sql-sqlite", "wattle:sql"]).await.ok();
    let url = format!("url={}", postgres.url());
    let migrated = ["--target", &url, "--target", &migrations()];
    lattice.link("todo", "sql-postgres", SQL, &migrated).await;
    assert_keeps_a_list(&todo).await;
    lattice.link("todo", "sql-postgres", SQL, &migrated).await; // once more is no other
    assert_eq!(request(&todo, "GET", "/", "").await.1.lines().count(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_dies_is_an_error_and_serves_again_after_its_return() {
    let mut postgres = Postgres::start().await;
    postgres.run(include_str!("../../../examples/todo/migrations/0001_todo.sql")).await;
    let lattice = Lattice::start().await;
    lattice.provider("sql-postgres").await;
    let todo = lattice.serve(Guest::Todo, "todo").await;
    let url = format!("url={}", postgres.url());
    lattice.link("todo", "sql-postgres", SQL, &["--target", &url]).await;
    let mut kept = 0;
    for round in 0..3 {
        while request(&todo, "POST", "/", "before").await.0 != 201 {
            assert!(round > 0, "the database is there");
        }
        kept += 1;
        postgres.kill();
        assert_eq!(request(&todo, "POST", "/", "meanwhile").await.0, 500);
        postgres.restart().await;
        let begun = std::time::Instant::now();
        while request(&todo, "GET", "/", "").await.0 != 200 {
            assert!(begun.elapsed() < Duration::from_secs(15), "it serves again");
        }
        println!("serves again {:?} after its return", begun.elapsed());
    }
    assert_eq!(request(&todo, "GET", "/", "").await.1.lines().count(), kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_asks_postgres_for_values_of_megabytes_and_reads_why_there_are_none() {
    let mut postgres = Postgres::start().await;
    let lattice = Lattice::start().await;
    lattice.provider("sql-postgres").await;
    let ledger = lattice.serve(Guest::Ledger, "ledger").await;
    let advice = "wattle link put ledger sql-postgres wasmcloud:postgres/query";
    let denied = lattice.wattle(&["call", "ledger", "/same?bytes=1"]).await.code(1);
    denied.naming(&["wasmcloud:postgres/query.query", "denied", advice]);
    assert_eq!(request(&ledger, "GET", "/same?bytes=1", "").await.0, 500);

    let url = format!("url={}", postgres.url());
    lattice.link("ledger", "sql-postgres", POSTGRES, &["--target", &url]).await;
    for bytes in [0, 1, 100_000, 4_000_000] {
        let same = (200, "the same\n".to_owned());
        assert_eq!(request(&ledger, "GET", &format!("/same?bytes={bytes}"), "").await, same);
    }
    let reason = async |bytes: usize| {
        let (status, text) = request(&ledger, "GET", &format!("/same?bytes={bytes}"), "").await;
        assert_eq!(status, 502, "{text}");
        text
    };
    let too_large = reason(5_000_000).await;
    assert!(too_large.contains("too-large: parameters of"), "{too_large}");
    postgres.kill();
    let gone = reason(1).await;
    assert!(gone.contains("unavailable: ") || gone.contains("interrupted: "), "{gone}");
    lattice.wattle(&["stop", "provider", "sql-postgres"]).await.ok();
    let unavailable = reason(1).await;
    assert!(unavailable.contains("unavailable: "), "{unavailable}");
}

/// What the ledger asked of the database to answer, in this order, or nothing if it could not.
async fn asked(lattice: &Lattice, ledger: &Site) -> Option<Vec<String>> {
    let answer = ledger.get("/prepared").await;
    if answer.status != 200 {
        return None;
    }
    assert_eq!(answer.text(), "1\n");
    let trace = answer.header("x-request-id").expect("a request id");
    let spans = lattice.ask(&["trace", trace]).await;
    let mut spans = spans.as_array().cloned().unwrap_or_else(|| panic!("{spans}"));
    spans.retain(|span| span["callee"] == "sql-postgres");
    let begun = |span: &serde_json::Value| span["began-us"].as_u64().expect("a time");
    spans.sort_by_key(begun);
    Some(spans.iter().map(|span| span["function"].as_str().expect("a name").to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_prepared_once_for_all_calls_and_anew_after_a_restart() {
    let postgres = Postgres::start().await;
    let table = "CREATE TABLE entries (id int4 PRIMARY KEY, title text, amount int4);
        INSERT INTO entries SELECT n, 'title', n FROM generate_series(1, 1000) AS n";
    postgres.run(table).await;
    let lattice = Lattice::start().await;
    lattice.provider("sql-postgres").await;
    lattice.actor(Guest::Ledger, "ledger").await;
    let ledger = lattice.expose_with("ledger", &["trace=always"]).await;
    let url = format!("url={}", postgres.url());
    lattice.link("ledger", "sql-postgres", PREPARED, &["--target", &url]).await;

    let asks = async || asked(&lattice, &ledger).await;
    assert_eq!(asks().await.expect("an answer"), ["prepare", "exec"]);
    for _ in 0..3 {
        assert_eq!(asks().await.expect("an answer"), ["exec"]);
    }
    // Another process knows none of the tokens, and the actor need not know that it is another.
    let process = lattice.provider_process("sql-postgres").await;
    process.kill();
    let anew = eventually("it serves again", Duration::from_secs(10), asks).await;
    assert_eq!(anew, ["exec", "prepare", "exec"]);
    assert_eq!(asks().await.expect("an answer"), ["exec"]);
    // That its statement is prepared helps nobody whose link is gone.
    lattice.wattle(&["link", "del", "ledger", "sql-postgres", "wasmcloud:postgres"]).await.ok();
    let denied = lattice.wattle(&["call", "ledger", "/prepared"]).await.code(1);
    denied.naming(&["wasmcloud:postgres/prepared.prepare", "denied", "wattle link put ledger"]);
}
