//! The provider's store against a real Redis: the contract, and what happens when Redis goes away.

#[path = "redis/faults.rs"]
mod faults;
#[path = "redis/link.rs"]
mod link;
#[path = "redis/server.rs"]
mod server;
#[path = "redis/slow.rs"]
mod slow;
#[path = "../../keyvalue-embedded/tests/embedded/watched.rs"]
mod watched;
#[path = "redis/watching.rs"]
mod watching;

use std::time::{Duration, Instant};

use link::{caller, callers, pool};
use server::Server;
use tokio::time::timeout;
use wattle_core::{Constraints, ErrorKind, call::Call, link::Settings};
use wattle_keyvalue::{Caller, Error, Failure, INTERFACES, conformance};
use wattle_sdk::test_host::{self, Launch, TestHost};

/// How soon a failure must show, and a Redis that is back must serve.
const SOON: Duration = Duration::from_secs(1);

/// What "at once" means on a busy machine.
const AT_ONCE: Duration = Duration::from_millis(100);

#[tokio::test]
async fn keyvalue_redis_keeps_wasi_keyvalue() {
    let server = Server::start();
    let caller = callers(&server.url()).await;
    conformance::run(async |constraints| caller(constraints)).await;
}

#[tokio::test]
async fn the_process_keeps_the_contract_and_outlives_redis() {
    let mut server = Server::start();
    let config = || Settings::from([("URL".to_owned(), server.url())]);
    let mut host = start().await;
    conformance::run(async |constraints| link(&host, constraints, config()).await).await;

    let store = link(&host, Constraints::new(), config()).await;
    server.kill();
    for _lane in 0..2 {
        assert_backend_down(store.get("default", "key").await);
    }
    server.restart();
    timeout(SOON, until_it_serves(&store)).await.expect("it serves again within a second");
    assert!(host.is_running(), "it was not restarted");
}

#[tokio::test]
async fn a_link_that_cannot_hold_says_why() {
    let server = Server::start_with(&["--requirepass", "richtig"]);
    let host = start().await;
    let unknown = Constraints::from([("tables".to_owned(), vec![])]);
    let login = |url: String| Settings::from([("url".to_owned(), url)]);
    let right = server.url().replace("redis://", "redis://:richtig@");
    let refused = [
        (Constraints::new(), Settings::new()),
        (Constraints::new(), login(server.url())),
        (Constraints::new(), login(server.url().replace("redis://", "redis://:falsch@"))),
        (Constraints::new(), login("http://127.0.0.1".to_owned())),
        (unknown, login(right.clone())),
    ];
    for (constraints, settings) in refused {
        let put = host.link_to_provider(INTERFACES, constraints, settings).await;
        let reason = put.expect_err("it cannot hold");
        assert!(!reason.contains("falsch") && !reason.is_empty(), "{reason}");
    }
    let store = link(&host, Constraints::new(), login(right)).await;
    assert_eq!(store.get("default", "key").await, Ok(None));
}

async fn start() -> TestHost {
    TestHost::start(Launch::new(env!("CARGO_BIN_EXE_wattle-keyvalue-redis"))).await
}

async fn link(
    host: &TestHost,
    constraints: Constraints,
    config: Settings,
) -> Caller<test_host::Link> {
    let link = host.link_to_provider(INTERFACES, constraints, config).await;
    Caller::new(link.expect("it holds"))
}

#[tokio::test]
async fn a_killed_redis_fails_calls_at_once_and_serves_again_within_a_second_of_its_return() {
    let mut server = Server::start();
    let store = caller(&server.url()).await;
    store.set("default", "key", b"before").await.expect("redis is up");

    server.kill();
    let started = Instant::now();
    assert_backend_down(store.get("default", "key").await);
    assert_backend_down(store.increment("default", "n", 1).await);
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());

    server.restart();
    timeout(SOON, until_it_serves(&store)).await.expect("it serves again within a second");
}

#[tokio::test]
async fn a_frozen_redis_fails_calls_in_time_and_serves_again_within_a_second_of_thawing() {
    let server = Server::start();
    let store = caller(&server.url()).await;
    store.set("default", "key", b"before").await.expect("redis is up");

    server.freeze();
    let in_time = SOON + AT_ONCE;
    let failed =
        timeout(in_time, store.get("default", "key")).await.expect("fails within a second");
    assert_backend_down(failed);
    let started = Instant::now();
    assert_backend_down(store.get("default", "key").await);
    assert!(started.elapsed() < AT_ONCE, "whoever comes later need not wait");

    server.thaw();
    timeout(SOON, until_it_serves(&store)).await.expect("it serves again within a second");
    assert_eq!(store.get("default", "key").await.expect("up").as_deref(), Some(&b"before"[..]));
}

#[tokio::test]
async fn a_hundred_calls_under_way_all_end_when_redis_dies() {
    let mut server = Server::start();
    let store = std::sync::Arc::new(caller(&server.url()).await);
    server.freeze();
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move { store.increment("default", "n", 1).await })
        })
        .collect();
    tokio::task::yield_now().await;
    server.kill();
    for call in calls {
        let ended = timeout(SOON + AT_ONCE, call).await.expect("no call hangs");
        assert_backend_down(ended.expect("no panic"));
    }
}

#[tokio::test]
async fn a_link_holds_although_redis_is_down_and_works_once_it_is_there() {
    let mut server = Server::start();
    server.kill();
    let store = caller(&server.url()).await;
    assert_backend_down(store.get("default", "key").await);
    server.restart();
    timeout(SOON, until_it_serves(&store)).await.expect("it serves within a second");
}

#[tokio::test]
async fn a_login_that_redis_refuses_is_told_and_the_password_is_not() {
    let server = Server::start_with(&["--requirepass", "richtig"]);
    let refusal = |login: &str| {
        let url = server.url().replace("redis://", &format!("redis://{login}"));
        async move { pool(&url).refusal().await }
    };
    assert_eq!(refusal(":richtig@").await, None);
    let reason = refusal(":falsch@").await.expect("a wrong password");
    assert!(!reason.contains("falsch"), "{reason}");
    assert!(refusal("").await.is_some(), "no password");
    for login in [":richtig@", ""] {
        let url = server.url().replace("redis://", &format!("redis://{login}")) + "/99";
        assert!(pool(&url).refusal().await.is_some(), "there is no such database");
    }
}

#[tokio::test]
async fn a_redis_that_cannot_save_its_data_is_read_and_says_why_it_takes_no_more() {
    let server = Server::start();
    server.command(&["SET", "key", "value"]).await;
    server.fail_to_save().await;
    let store = caller(&server.url()).await;
    assert_eq!(store.get("default", "key").await, Ok(Some(b"value".to_vec())));
    match store.set("default", "key", b"x").await {
        Err(Failure::Store(Error::Other(reason))) => {
            assert!(reason.contains("MISCONF"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.get("default", "key").await, Ok(Some(b"value".to_vec())));
}

#[tokio::test]
async fn a_redis_that_has_enough_clients_is_not_there_yet() {
    let server = Server::start_with(&["--maxclients", "1"]);
    let first = caller(&server.url()).await;
    timeout(SOON, until_it_serves(&first)).await.expect("it is the only one");
    let second = caller(&server.url()).await;
    assert_backend_down(second.get("default", "key").await);
    drop(first);
    timeout(SOON, until_it_serves(&second)).await.expect("there is room");
}

#[tokio::test]
async fn the_default_bucket_is_the_database_that_others_use_too() {
    let server = Server::start();
    let store = caller(&server.url()).await;
    server.command(&["SET", "theirs", "1"]).await;
    server.command(&["SET", "carts:7", "full"]).await;
    server.command(&["LPUSH", "list", "1"]).await;
    assert_eq!(store.increment("default", "theirs", 1).await.expect("a number"), 2);
    assert_eq!(store.get("carts", "7").await.expect("up").as_deref(), Some(&b"full"[..]));
    let mut page = store.list_keys("default", None).await.expect("up");
    page.keys.sort();
    assert_eq!(page.keys, ["carts:7", "theirs"], "a list has no value that this contract can read");
    let wrong_type = store.get("default", "list").await;
    assert!(matches!(wrong_type, Err(Failure::Store(Error::Other(_)))), "{wrong_type:?}");
    let found = store.get_many("default", &["list", "theirs"]).await.expect("up");
    assert_eq!(found, [None, Some(("theirs".into(), b"2".to_vec()))]);
}

#[tokio::test]
async fn what_redis_does_not_allow_is_denied() {
    let server = Server::start();
    server.command(&["ACL", "SETUSER", "reader", "on", ">pass", "~*", "+get"]).await;
    let url = server.url().replace("redis://", "redis://reader:pass@");
    let store = caller(&url).await;
    assert_eq!(store.get("default", "key").await, Ok(None));
    assert_eq!(store.set("default", "key", b"x").await, Err(Error::AccessDenied.into()));
}

async fn until_it_serves<C: Call>(store: &Caller<C>) {
    while let Err(failure) = store.get("default", "key").await {
        assert_backend_down::<()>(Err(failure));
        tokio::task::yield_now().await;
    }
}

fn assert_backend_down<T: std::fmt::Debug>(answer: Result<T, Failure>) {
    match answer {
        Err(Failure::Call(error)) => assert_eq!(error.kind, ErrorKind::Failed, "{error}"),
        other => panic!("{other:?}"),
    }
}
