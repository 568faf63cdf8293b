//! Actors that are told of changes in a store.

use std::time::{Duration, Instant};

use wattle_testing::{Guest, KEY_VALUE, Lattice, Redis, Site, eventually};

const WATCHER: &str = "wasi:keyvalue/watcher";
/// How long what has to come may take on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A counter on a store; another actor watches its keys and keeps a copy of them.
async fn watched(lattice: &Lattice, provider: &str, store: &[&str], watch: &[&str]) -> Site {
    let counter = lattice.expose("counter").await;
    lattice.link("counter", provider, KEY_VALUE, store).await;
    lattice.link("watcher", provider, KEY_VALUE, store).await;
    lattice
        .link(provider, "watcher", WATCHER, &[watch, &["--source", "watch=hits"]].concat())
        .await;
    counter
}

/// What Redis answers to one command.
async fn ask(redis: &Redis, command: &str, key: &str) -> Option<String> {
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("redis is up");
    redis::cmd(command).arg(key).query_async(&mut connection).await.expect("redis answers")
}

/// Waits until so many listen to what Redis says of changes.
async fn until_listening(redis: &Redis, count: usize) {
    let client = redis::Client::open(redis.url()).expect("a URL");
    eventually(&format!("{count} listen"), PATIENCE, async || {
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let list = redis::cmd("CLIENT").arg("LIST").arg("TYPE").arg("pubsub").to_owned();
        let clients: String = list.query_async(&mut connection).await.ok()?;
        (clients.lines().count() == count).then_some(())
    })
    .await;
}

async fn until_copied(redis: &Redis, key: &str, value: Option<&str>) {
    let what = format!("{key} is copied as {value:?}");
    eventually(&what, PATIENCE, async || {
        (ask(redis, "GET", &format!("copy:{key}")).await.as_deref() == value).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_once_per_lattice_and_again_after_redis_and_a_host_came_back_or_died() {
    let mut redis = Redis::start().await;
    let lattice = Lattice::start_alone().await;
    let mut other = lattice.neighbour("other").await;
    lattice.provider("keyvalue-redis").await;
    lattice.provider_on("other", "keyvalue-redis").await;
    lattice.actor(Guest::Counter, "counter").await;
    lattice.actor(Guest::Watcher, "watcher").await;
    lattice.actor_on("other", Guest::Watcher, "watcher", &[]).await;
    let url = format!("url={}", redis.url());
    let source = ["--source", &url, "--source", "configure_notifications=true"];
    let counter = watched(&lattice, "keyvalue-redis", &["--target", &url], &source).await;

    for hit in 1..=5 {
        assert_eq!(counter.get("/hits").await.status, 200);
        until_copied(&redis, "hits", Some(&hit.to_string())).await;
        until_copied(&redis, "hits changed", Some(&hit.to_string())).await;
    }
    let _: Option<String> = ask(&redis, "GETDEL", "hits").await; // whoever changes it
    until_copied(&redis, "hits", None).await;
    until_copied(&redis, "hits changed", Some("6")).await;

    redis.restart().await;
    let back = Instant::now();
    eventually("the counter counts again", PATIENCE, async || {
        (counter.get("/hits-2").await.status == 200).then_some(())
    })
    .await;
    eventually("changes are told again", PATIENCE, async || {
        counter.get("/hits-2").await;
        ask(&redis, "GET", "copy:hits-2").await
    })
    .await;
    println!("redis came back, and {:?} later a change was told", back.elapsed());

    until_listening(&redis, 2).await;
    lattice.provider_process("keyvalue-redis").await.kill(); // the other one tells now
    let killed = Instant::now();
    let _: Option<String> = ask(&redis, "INCR", "hits-3").await;
    until_copied(&redis, "hits-3", Some("1")).await;
    println!("the provider that told died, and {:?} later a change was told", killed.elapsed());

    until_listening(&redis, 2).await; // its host has started another
    other.process().kill();
    other.ended().await;
    let killed = Instant::now();
    let _: Option<String> = ask(&redis, "INCR", "hits-4").await;
    until_copied(&redis, "hits-4", Some("1")).await;
    println!("the host that told died, and {:?} later a change was told", killed.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_a_file_tells_too_and_a_bucket_opens_by_a_link_of_one_s_own_only() {
    let lattice = Lattice::start().await;
    lattice.provider("keyvalue-embedded").await;
    lattice.actor(Guest::Counter, "counter").await;
    lattice.actor(Guest::Watcher, "watcher").await;
    let counter = lattice.expose("counter").await;
    lattice.link("counter", "keyvalue-embedded", KEY_VALUE, &[]).await;
    lattice.link("keyvalue-embedded", "watcher", WATCHER, &["--source", "watch=hits"]).await;
    assert_eq!(counter.get("/hits").await.status, 200);
    eventually("the watcher is told, and its bucket is closed", PATIENCE, async || {
        let log = lattice.log().await;
        log.contains("hits in its bucket: Err(Error::AccessDenied)").then_some(())
    })
    .await;

    lattice.link("watcher", "keyvalue-embedded", KEY_VALUE, &[]).await;
    assert_eq!(counter.get("/hits").await.status, 200);
    let kit = lattice.serve(Guest::Kit, "kit").await;
    lattice.link("kit", "keyvalue-embedded", KEY_VALUE, &[]).await;
    eventually("the watcher has copied the change", PATIENCE, async || {
        let copy = kit.get("/kv?op=get&bucket=copy&key=hits").await;
        (copy.status == 200 && copy.text() == "2").then_some(())
    })
    .await;
}
