//! The portable contract on the same PostgreSQL.

use std::time::Instant;

use wattle_core::{CallError, Constraints, Operation, call::Call, link::Settings};
use wattle_sql::{
    Caller, Error, Failure, Limits, Links, Value,
    conformance::{self, Abilities},
};
use wattle_sql_postgres::PortableDatabase;

use super::{
    SOON,
    link::DEADLINE,
    server::{Server, connections, until},
};

/// What this provider cannot hold a link to: a database user of its own does.
pub(crate) const ABILITIES: Abilities = Abilities { access: false, tables: false };

/// A link to a database. It goes with this.
pub(crate) struct Link(Links<PortableDatabase>);

impl Call for Link {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<bytes::Bytes, CallError> {
        let Operation { interface, function } = operation;
        let deadline = Instant::now() + DEADLINE;
        self.0.dispatch(1, interface, function, &params, deadline).await.map(Into::into)
    }
}

/// A caller over a new link, once it is connected.
pub(crate) async fn caller(settings: &Settings) -> Caller<Link> {
    let limits = Limits::from_settings(settings).expect("good limits");
    let settings = wattle_sql_postgres::Settings::new(settings, &Settings::new());
    let database = PortableDatabase::start(settings.expect("good settings")).await.expect("a link");
    assert_eq!(database.refusal().await, None);
    let links = Links::default();
    links.put(1, limits, database);
    Caller::new(Link(links))
}

#[tokio::test]
async fn sql_postgres_keeps_wattle_sql() {
    let server = Server::start().await;
    let make = async |constraints: Constraints, more: Settings| {
        assert!(constraints.is_empty(), "the provider fails such a link");
        let mut settings = server.settings(&[]);
        settings.extend(more);
        caller(&settings).await
    };
    Box::pin(conformance::run(make, ABILITIES)).await;
}

#[tokio::test]
async fn a_portable_call_that_fails_leaves_nothing_and_the_link_goes_on() {
    let mut server = Server::start().await;
    let settings = server.settings(&[("pool_size", "1"), ("statement_timeout_ms", "3000")]);
    let unhurried = caller(&server.settings(&[])).await;
    unhurried.execute("CREATE TABLE t (n BIGINT)", &[]).await.expect("a table");
    let database = caller(&settings).await;
    let slow = "INSERT INTO t SELECT 1 FROM pg_sleep(60)";
    let failed = database.execute(slow, &[]).await.expect_err("too slow");
    assert!(matches!(failed, Failure::Sql(Error::Timeout(_))), "{failed:?}");
    let watch = server.client().await;
    until(SOON, "cancelled", async || connections(&watch).await.1 == 0).await;
    let counted = async || database.query("SELECT count(*) FROM t", &[]).await;
    until(SOON, "it goes on", async || counted().await.is_ok()).await;
    let rows = counted().await.expect("it goes on").rows;
    assert_eq!(rows[0].0, [Value::Integer(0)]);
    server.kill();
    until(SOON, "down", async || {
        matches!(counted().await, Err(Failure::Sql(Error::Unavailable(_))))
    })
    .await;
    server.restart().await;
    until(SOON, "it serves again", async || counted().await.is_ok()).await;
}

#[tokio::test]
async fn a_call_whose_time_is_over_while_it_is_committed_is_not_said_to_have_failed() {
    let server = Server::start().await;
    let slow_commit = "CREATE TABLE t (n BIGINT); \
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$; \
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED \
        FOR EACH ROW EXECUTE FUNCTION wait()";
    server.client().await.batch_execute(slow_commit).await.expect("a table");
    let database = caller(&server.settings(&[("statement_timeout_ms", "3000")])).await;
    let failed = database.execute("INSERT INTO t VALUES (1)", &[]).await.expect_err("too slow");
    assert!(matches!(failed, Failure::Sql(Error::Interrupted(_))), "{failed:?}");
}

#[tokio::test]
async fn a_table_that_another_changed_is_read_as_it_is_and_nothing_stays_in_the_session() {
    let server = Server::start().await;
    let admin = server.client().await;
    admin.batch_execute("CREATE TABLE t (n BIGINT); INSERT INTO t VALUES (1)").await.expect("up");
    let database = caller(&server.settings(&[("pool_size", "1")])).await;
    let read = async || database.query("SELECT * FROM t", &[]).await.expect("it is there");
    assert_eq!(read().await.columns, ["n"]);
    admin.batch_execute("ALTER TABLE t ADD COLUMN m BIGINT").await.expect("up");
    assert_eq!(read().await.columns, ["n", "m"]);
    for _ in 0..2 {
        database.execute("CREATE TEMP TABLE own (n BIGINT)", &[]).await.expect("a new session");
    }
}
