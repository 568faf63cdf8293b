//! Links that tell actors of changes, whoever makes them.

use std::{sync::Arc, time::Instant};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use wattle_core::{Constraints, link::Settings};
use wattle_keyvalue::conformance::watcher::{self, Actor, Change, Stage as _};
use wattle_sdk::test_host::{Launch, Leases, TestHost};

use crate::{
    server::Server,
    start,
    watched::{PATIENCE, Watched, watch},
};

const EVENTS: &[&str] = &["--notify-keyspace-events", "KA"];

fn settings(server: &Server, further: &[(&str, &str)]) -> Settings {
    let further = further.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    further.chain([("url".to_owned(), server.url())]).collect()
}

/// An actor, and what it is told.
fn listener() -> (Actor, mpsc::Receiver<Change>) {
    let (sender, told) = mpsc::channel(10_000);
    let actor: Actor = Arc::new(move |change| {
        let _ = sender.try_send(change); // the test may have seen enough
        Ok(())
    });
    (actor, told)
}

async fn next(told: &mut mpsc::Receiver<Change>) -> (String, Option<String>) {
    let change = timeout(PATIENCE, told.recv()).await.expect("a change").expect("an actor");
    (change.key, change.value.map(|value| String::from_utf8(value).expect("text")))
}

fn set(key: &str, value: &str) -> (String, Option<String>) {
    (key.to_owned(), Some(value.to_owned()))
}

#[tokio::test]
async fn keyvalue_redis_keeps_wasi_keyvalue_watcher() {
    let server = Server::start();
    let host = start().await;
    let target = settings(&server, &[]);
    let source = settings(&server, &[("configure_notifications", "true")]);
    watcher::run(&Watched { host: &host, target, source }).await;
}

#[tokio::test]
async fn a_redis_that_says_nothing_fails_the_link_with_what_to_do() {
    let server = Server::start();
    let host = start().await;
    let put = |further: &[(&str, &str)]| {
        let config = settings(&server, further);
        watch(&host, 1, Constraints::new(), config, ("default", &["a"]), listener().0)
    };
    let reason = put(&[]).await.expect_err("nobody has turned it on");
    assert!(reason.contains("CONFIG SET notify-keyspace-events 'Kg$xe'"), "{reason}");
    assert!(reason.contains("configure_notifications=true"), "{reason}");
    let reason = put(&[("resync", "maybe")]).await.expect_err("neither true nor false");
    assert!(reason.contains("resync"), "{reason}");
    server.command(&["CONFIG", "SET", "notify-keyspace-events", "EKgx$e"]).await;
    put(&[]).await.expect("it is turned on");
}

#[tokio::test]
async fn what_others_do_counts_and_what_expires_is_gone() {
    let server = Server::start_with(EVENTS);
    let host = start().await;
    let (actor, mut told) = listener();
    let config = settings(&server, &[]);
    watch(&host, 1, [].into(), config, ("default", &["k"]), actor).await.expect("it holds");
    for (command, change) in [
        (&["SET", "k1", "one"][..], set("k1", "one")),
        (&["APPEND", "k1", "!"], set("k1", "one!")),
        (&["SETRANGE", "k1", "0", "O"], set("k1", "One!")),
        (&["PEXPIRE", "k1", "10"], ("k1".to_owned(), None)),
        (&["SET", "k2", "two", "PX", "3600000"], set("k2", "two")),
        (&["COPY", "k2", "k4"], set("k4", "two")),
        (&["GETDEL", "k4"], ("k4".to_owned(), None)),
    ] {
        server.command(command).await;
        assert_eq!(next(&mut told).await, change, "{command:?}");
    }
    server.command(&["RENAME", "k2", "k3"]).await;
    let mut both = [next(&mut told).await, next(&mut told).await];
    both.sort();
    assert_eq!(both, [("k2".to_owned(), None), set("k3", "two")]);
    server.command(&["LPUSH", "klist", "1"]).await; // no value of this contract's
    server.command(&["SETRANGE", "kmuch", "5000000", "x"]).await; // longer than a value may be
    server.command(&["SET", "k5", "last"]).await;
    assert_eq!(next(&mut told).await, set("k5", "last"));
}

#[tokio::test]
async fn a_redis_that_was_away_is_heard_again_and_what_is_there_is_told_if_that_is_asked_for() {
    let mut server = Server::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let host = start().await;
    let ((plain, mut told), (resyncing, mut told_all)) = (listener(), listener());
    let config = settings(&server, &[("configure_notifications", "true")]);
    watch(&host, 1, [].into(), config, ("default", &["k"]), plain).await.expect("it holds");
    let config = settings(&server, &[("configure_notifications", "true"), ("resync", "true")]);
    watch(&host, 2, [].into(), config, ("default", &["k"]), resyncing).await.expect("it holds");
    server.command(&["SET", "k1", "kept"]).await;
    assert_eq!(next(&mut told).await, set("k1", "kept"));
    assert_eq!(next(&mut told_all).await, set("k1", "kept"));

    server.kill();
    server.restart(); // its setting is off again
    let back = Instant::now();
    assert_eq!(next(&mut told_all).await, set("k1", "kept"), "told once more");
    println!("what is there was told {:?} after redis came back", back.elapsed());
    let until_heard = async {
        while told.try_recv().is_err() {
            server.command(&["SET", "k2", "new"]).await;
            sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, until_heard).await.expect("it is heard again");
    println!("changes were heard {:?} after redis came back", back.elapsed());
    assert!(host.logged().contains("changes of this time are not told"), "it is said");
}

#[tokio::test]
async fn of_two_hosts_one_tells_and_the_other_goes_on_when_it_dies() {
    let server = Server::start_with(EVENTS);
    let leases = Leases::default();
    let launch = || Launch::new(env!("CARGO_BIN_EXE_wattle-keyvalue-redis")).leases(&leases);
    let mut first = TestHost::start(launch()).await;
    let second = TestHost::start(launch()).await;
    let ((one, mut told_first), (other, mut told_second)) = (listener(), listener());
    for (host, actor) in [(&first, one), (&second, other)] {
        let config = settings(&server, &[]);
        watch(host, 1, [].into(), config, ("default", &["k"]), actor).await.expect("it holds");
    }
    for n in 0..100 {
        let (key, value) = (format!("k{n}"), n.to_string());
        server.command(&["SET", &key, &value]).await;
        assert_eq!(next(&mut told_first).await, set(&key, &value));
    }
    assert!(told_second.try_recv().is_err(), "each change is told once");

    first.kill().await;
    server.command(&["SET", "last", "x"]).await;
    server.command(&["SET", "klast", "y"]).await;
    let until_last = async { while next(&mut told_second).await != set("klast", "y") {} };
    timeout(PATIENCE, until_last).await.expect("the other tells");

    let third = TestHost::start(launch()).await;
    let (actor, mut told_third) = listener();
    let config = settings(&server, &[]);
    watch(&third, 1, [].into(), config, ("default", &["k"]), actor).await.expect("it holds");
    second.drain().await;
    server.command(&["SET", "kmore", "z"]).await;
    assert_eq!(next(&mut told_third).await, set("kmore", "z"), "the lease was left to it");
}

/// The lease is lost and had again while an actor does not answer: what it was not told is told in the next term.
#[tokio::test]
async fn what_is_under_way_when_a_term_ends_is_told_in_the_next() {
    let server = Server::start_with(EVENTS);
    let leases = Leases::default();
    let host =
        TestHost::start(Launch::new(env!("CARGO_BIN_EXE_wattle-keyvalue-redis")).leases(&leases))
            .await;
    let config = settings(&server, &[]);
    let (actor, mut told) = listener();
    watch(&host, 1, [].into(), config, ("default", &["k"]), actor).await.expect("it holds");
    let (begun, mut begins) = mpsc::channel(10);
    host.play(
        1,
        wattle_sdk::test_host::actor(move |_| {
            let _ = begun.try_send(());
            std::future::pending()
        }),
    );
    server.command(&["SET", "k", "x"]).await;
    timeout(PATIENCE, begins.recv()).await.expect("it is told").expect("an actor");
    let (actor, mut told_next) = listener();
    host.play(
        1,
        wattle_sdk::test_host::actor(move |call| {
            let change = Change::read(&call.interface, &call.function, &call.params);
            let told = actor(change);
            std::future::ready(told.map(|()| wattle_sdk::Reply::new(vec![0xc0])))
        }),
    );
    leases.pass_on(1, "watch");
    assert_eq!(next(&mut told_next).await, set("k", "x"));
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn links_that_come_and_go_leave_no_connections() {
    let server = Server::start_with(EVENTS);
    let host = start().await;
    let stage = Watched { host: &host, target: settings(&server, &[]), source: Settings::new() };
    let store = stage.caller().await;
    let mut before = None;
    for round in 0..50 {
        let (actor, mut told) = listener();
        let (number, config) = (host.next_link(), settings(&server, &[]));
        let put = watch(&host, number, [].into(), config, ("default", &["k"]), actor);
        put.await.expect("it holds");
        store.set("default", "k", round.to_string().as_bytes()).await.expect("written");
        assert_eq!(next(&mut told).await, set("k", &round.to_string()));
        host.delete(number).await;
        before.get_or_insert_with(|| host.open_files());
    }
    let before = before.expect("there were rounds");
    let closed = async {
        while host.open_files() > before {
            sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, closed).await.expect("all are closed");
}

#[tokio::test]
async fn a_change_that_cannot_be_read_yet_is_told_when_redis_answers_again() {
    const SCRIPT: &str = "redis.call('SET', 'k1', 'x') for _ = 1, 5e7 do end";
    let server = Server::start_with(&["--notify-keyspace-events", "KA", "--lua-time-limit", "5"]);
    let host = start().await;
    let (actor, mut told) = listener();
    let config = settings(&server, &[]);
    watch(&host, 1, [].into(), config, ("default", &["k"]), actor).await.expect("it holds");
    server.command(&["EVAL", SCRIPT, "0"]).await;
    assert_eq!(next(&mut told).await, set("k1", "x"));
}
