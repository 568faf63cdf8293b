//! The provider against a real PostgreSQL: the contract, its limits, and what happens when PostgreSQL goes away.

#[path = "postgres/altered.rs"]
mod altered;
#[path = "postgres/beside.rs"]
mod beside;
#[path = "postgres/isolation.rs"]
mod isolation;
#[path = "postgres/limits.rs"]
mod limits;
#[path = "postgres/link.rs"]
mod link;
#[path = "postgres/load.rs"]
mod load;
#[path = "postgres/migrations.rs"]
mod migrations;
#[path = "postgres/outages.rs"]
mod outages;
#[path = "postgres/portable.rs"]
mod portable;
#[path = "postgres/process.rs"]
mod process;
#[path = "postgres/rounds.rs"]
mod rounds;
#[path = "postgres/server.rs"]
mod server;
#[path = "postgres/tls.rs"]
mod tls;

use std::time::Duration;

use link::{caller, code, is_down, link, value};
use process::Process;
use server::{PASSWORD, Server, until};
use wattle_core::{Constraints, link::Settings};
use wattle_postgres::{PgValue, conformance, error::UNAVAILABLE};

/// How soon a PostgreSQL that is back must serve, and a statement that was cancelled be gone, on a machine that is busy with much
/// else. On a quiet one it is 2 s at most; what it was is printed.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn sql_postgres_keeps_wasmcloud_postgres() {
    let server = Server::start().await;
    let make = async || caller(server.settings(&[])).await;
    Box::pin(conformance::run(make)).await;
}

#[tokio::test]
async fn the_process_keeps_the_contract_and_outlives_postgres() {
    let mut server = Server::start().await;
    let mut process = Process::start().await;
    let config = server.settings(&[]);
    let put = async || process.put(Constraints::new(), config.clone()).await.expect("a link");
    conformance::run(put).await;

    let database = put().await;
    let token = database.prepare("SELECT $1::int4").await.expect("a token");
    server.kill();
    until(SOON, "down", async || is_down(&database).await).await;
    assert_eq!(code(&database, "SELECT 1").await, UNAVAILABLE);
    server.restart().await;
    until(SOON, "it serves again", async || value(&database, "SELECT 1").await.is_ok()).await;
    let changed = database.exec(&token, &[PgValue::Int4(1)]).await;
    assert_eq!(changed, Ok(1), "a token outlives its connection");
    assert!(process.is_running(), "it was not restarted");
}

#[tokio::test]
async fn a_link_that_cannot_hold_says_why_and_not_the_password() {
    let server = Server::start().await;
    let process = Process::start().await;
    let url = |change: &str, to: &str| {
        Settings::from([("url".to_owned(), server.url().replace(change, to))])
    };
    let tables = Constraints::from([("tables".to_owned(), vec!["carts".to_owned()])]);
    let verified = server.settings(&[("POSTGRES_TLS_REQUIRED", "true")]);
    let refused = [
        (Constraints::new(), Settings::new(), "no database is named"),
        (Constraints::new(), url(PASSWORD, "falsch"), "28P01"),
        (Constraints::new(), server.settings(&[("POSTGRES_DATABASE", "nowhere")]), "3D000"),
        (Constraints::new(), server.settings(&[("POSTGRES_USERNAME", "nobody")]), "28P01"),
        (Constraints::new(), verified, "TLS"),
        (tables, url("", ""), "constraint"),
    ];
    for (constraints, settings, why) in refused {
        let reason = process.put(constraints, settings).await.expect_err("it cannot hold");
        assert!(reason.contains(why), "{why}: {reason}");
        assert!(!reason.contains("falsch") && !reason.contains(PASSWORD), "{reason}");
    }
    let database = process.put(Constraints::new(), url("", "")).await.expect("it holds");
    assert_eq!(value(&database, "SELECT 1").await, Ok(PgValue::Int4(1)));
    process.delete_last().await;
    assert!(database.query("SELECT 1", &[]).await.is_err(), "the link is gone");
}

#[tokio::test]
async fn the_process_keeps_the_portable_contract_on_links_of_its_own() {
    let server = Server::start().await;
    let process = Process::start().await;
    let make = async |constraints: Constraints, more: Settings| {
        let mut settings = server.settings(&[]);
        settings.extend(more);
        let link = process.put_on(wattle_sql::INTERFACES, constraints, settings).await;
        wattle_sql::Caller::new(link.expect("a link"))
    };
    wattle_sql::conformance::run(make, portable::ABILITIES).await;
    let access = Constraints::from([("access".to_owned(), vec!["read".to_owned()])]);
    let link = process.put_on(wattle_sql::INTERFACES, access, server.settings(&[])).await;
    let reason = link.expect_err("it cannot hold");
    assert!(reason.contains("constraint"), "{reason}");
}

#[tokio::test]
async fn wasmcloud_s_settings_are_understood() {
    let server = Server::start().await;
    let url = server.url();
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).expect("a port");
    let settings = [
        ("POSTGRES_HOST", "127.0.0.1"),
        ("POSTGRES_PORT", port),
        ("POSTGRES_USERNAME", "postgres"),
        ("POSTGRES_PASSWORD", PASSWORD),
        ("POSTGRES_DATABASE", "postgres"),
        ("POSTGRES_TLS_REQUIRED", "false"),
        ("POSTGRES_POOL_SIZE", "2"),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    assert_eq!(value(&caller(settings).await, "SELECT 1").await, Ok(PgValue::Int4(1)));
}

#[tokio::test]
async fn types_that_the_contract_does_not_have_are_read_as_text() {
    let server = Server::start().await;
    let database = caller(server.settings(&[])).await;
    let types = "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE pair AS (a int, b text); \
        CREATE DOMAIN small AS int4 CHECK (VALUE < 10)";
    database.query_batch(types).await.expect("types");
    for (query, text) in [
        ("SELECT interval '1 day 2 hours'", "1 day 02:00:00"),
        ("SELECT 'glad'::mood", "glad"),
        ("SELECT (1, 'x')::pair", "(1,x)"),
        ("SELECT int4range(1, 5)", "[1,5)"),
        ("SELECT 'pg_class'::regclass", "pg_class"),
        ("SELECT 7::oid", "7"),
        ("SELECT pg_sleep(0)", ""),
    ] {
        assert_eq!(value(&database, query).await, Ok(PgValue::Text(text.into())), "{query}");
    }
    assert_eq!(value(&database, "SELECT 7::small").await, Ok(PgValue::Int4(7)));
    let moods = value(&database, "SELECT '{sad,glad}'::mood[]").await;
    assert_eq!(moods, Ok(PgValue::TextArray(vec!["sad".into(), "glad".into()])));
    let many = "SELECT n, make_interval(secs => n) FROM generate_series(1, 1200) n";
    let rows = database.query(many, &[]).await.expect("many");
    assert_eq!(rows[1_199][1].value, PgValue::Text("00:20:00".into()));
    let error =
        value(&database, "SELECT relacl[1] AS rights FROM pg_class WHERE relacl IS NOT NULL");
    let error = error.await.expect_err("it has no binary form");
    assert!(error.text().contains("rights") && error.text().contains("aclitem"), "{error}");
}

#[tokio::test]
async fn a_login_is_refused_in_process_as_well() {
    let server = Server::start().await;
    let mut settings = server.settings(&[]);
    settings.insert("POSTGRES_PASSWORD".to_owned(), "falsch".to_owned());
    let reason = link(&settings).await.err().expect("a wrong password");
    assert!(!reason.contains("falsch"), "{reason}");
}
