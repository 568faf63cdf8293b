//! Links: which hold, what they hear, and what is left of them.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use wattle_core::{Constraints, provider::Side};
use wattle_messaging::{Kind, SUBJECTS};

use crate::{
    host::{Host, actor},
    scene::{PATIENCE, Received, Scene, host, pairs},
    server::{LOOK_PAUSE, Server, run},
};

/// Enough to fill every place several times.
const MESSAGES: u32 = 100;

#[tokio::test]
async fn a_link_that_cannot_hold_says_why_and_not_the_password() {
    let server = Server::start_with(&["--requirepass", "richtig"]).await;
    let binary = env!("CARGO_BIN_EXE_wattle-messaging-redis");
    let host = Host::start(binary, pairs(&[])).await;
    let login = |user: &str| server.url().replace("redis://", &format!("redis://{user}@"));
    let (right, wrong) = (login(":richtig"), login(":falsch"));
    let unknown = Constraints::from([("tables".to_owned(), vec![])]);
    let none = Constraints::new;
    let refused = [
        (Side::Target, unknown.clone(), pairs(&[("url", &right)]), "tables"),
        (Side::Source, unknown, pairs(&[("url", &right), ("subscriptions", "a")]), "tables"),
        (Side::Target, none(), pairs(&[]), "url"),
        (Side::Target, none(), pairs(&[("url", &wrong)]), "redis at"),
        (Side::Target, none(), pairs(&[("url", &server.url())]), "redis at"),
        (Side::Target, none(), pairs(&[("url", &right), ("urll", "x")]), "urll"),
        (Side::Source, none(), pairs(&[("url", &right)]), "subscriptions"),
    ];
    for (side, constraints, config, named) in refused {
        let reason = host.put(host.next(), side, constraints, config).await.expect_err(named);
        assert!(reason.contains(named) && !reason.contains("falsch"), "{named}: {reason}");
    }
    let sender = host.sender(none(), pairs(&[("url", &right)])).await.expect("a link");
    sender.publish("any", b"", None).await.expect("it holds");
}

#[tokio::test]
async fn a_link_holds_although_redis_is_down_and_works_once_it_is_there() {
    let mut server = Server::start().await;
    let host = host(&server).await;
    server.kill();
    let (actor, mut received) = Received::all();
    let sender = host.sender(Constraints::new(), pairs(&[])).await.expect("a link");
    host.handler(pairs(&[("subscriptions", "a")]), actor).await.expect("a link");
    let failure = sender.publish("a", b"early", None).await.expect_err("nothing is there");
    assert_eq!(failure.kind, Kind::Unavailable);
    server.restart().await;
    let arrived = async {
        while received.now().is_none() {
            let _ = sender.publish("a", b"late", None).await;
            sleep(LOOK_PAUSE).await;
        }
    };
    timeout(PATIENCE, arrived).await.expect("a message arrives");
}

#[tokio::test]
async fn a_hundred_links_that_came_and_went_leave_no_connection() {
    let scene = Scene::start().await;
    let mut asking = scene.server.connection().await;
    let mut clients = async || {
        let list: String = run(&mut asking, &[b"CLIENT", b"LIST"]).await;
        list.lines().count()
    };
    let _stays = scene.sender(&[]).await;
    let before = clients().await;
    for round in 0..100 {
        let plain = [("subscriptions", "a:*")];
        let kept = [("subscriptions", "a"), ("streams", "true")];
        let config = if round % 2 == 0 { &plain[..] } else { &kept };
        let link = scene.handler(config, Received::all().0).await;
        scene.host.delete(link).await;
    }
    let gone = async {
        while clients().await != before {
            sleep(LOOK_PAUSE).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("all are gone");
}

#[tokio::test]
async fn patterns_are_listened_to_and_others_read_plain_payloads() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::all();
    let config = [("subscriptions", "orders:*,exactly"), ("max_in_flight", "1")];
    scene.handler(&config, actor).await; // one by one, so that they come in their order
    for (channel, body) in [("orders:7", "new"), ("exactly", "this"), ("exactly:not", "that")] {
        let heard: u64 =
            scene.server.command(&[b"PUBLISH", channel.as_bytes(), body.as_bytes()]).await;
        assert_eq!(heard, u64::from(channel != "exactly:not"));
    }
    let message = received.next().await;
    assert_eq!((&*message.subject, &*message.body), ("orders:7", &b"new"[..]));
    assert_eq!(received.text().await, "this");
}

#[tokio::test]
async fn an_actor_has_at_most_so_many_messages_and_another_link_does_not_wait_for_it() {
    let scene = Scene::start().await;
    let (begun, go_on) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
    let (at_once, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let (counted, gate, highest) = (Arc::clone(&begun), Arc::clone(&go_on), Arc::clone(&most));
    let slow = actor(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        highest.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let (gate, at_once) = (Arc::clone(&gate), Arc::clone(&at_once));
        async move {
            gate.acquire().await.expect("open").forget();
            at_once.fetch_sub(1, Ordering::SeqCst);
            Ok(Ok(()))
        }
    });
    scene.handler(&[("subscriptions", "slow"), ("max_in_flight", "3")], slow).await;
    let (quick, mut received) = Received::all();
    scene.handler(&[("subscriptions", "quick")], quick).await;
    let sender = scene.sender(&[]).await;
    for _ in 0..MESSAGES {
        sender.publish("slow", b"", None).await.expect("it is up");
        sender.publish("quick", b"", None).await.expect("it is up");
    }
    for _ in 0..MESSAGES {
        received.next().await;
    }
    let begins = async |count| {
        while begun.load(Ordering::SeqCst) < count {
            sleep(LOOK_PAUSE).await;
        }
    };
    timeout(PATIENCE, begins(3)).await.expect("as many as it may have");
    go_on.add_permits(MESSAGES as usize);
    timeout(PATIENCE, begins(MESSAGES)).await.expect("the others, one after the other");
    assert_eq!(most.load(Ordering::SeqCst), 3, "no more at once");
}

#[tokio::test]
async fn a_message_that_fits_into_no_call_is_dropped_and_what_follows_is_not() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::all();
    scene.handler(&[("subscriptions", "a")], actor).await;
    let _: u64 = scene.server.command(&[b"PUBLISH", b"a", &vec![0; 5 << 20]]).await;
    let _: u64 = scene.server.command(&[b"PUBLISH", b"a", b"small"]).await;
    assert_eq!(received.text().await, "small");
}

#[tokio::test]
async fn names_fall_into_parts_at_dots_colons_and_slashes() {
    let scene = Scene::start().await;
    let patterns = vec!["a:*:c".to_owned(), "a/>".to_owned()];
    let constraints = Constraints::from([(SUBJECTS.to_owned(), patterns)]);
    let sender = scene.host.sender(constraints, pairs(&[])).await.expect("a link");
    for allowed in ["a:b:c", "a/b.c"] {
        sender.publish(allowed, b"", None).await.expect(allowed);
    }
    for denied in ["a:b/c", "a:b:c:d", "a.b"] {
        let failure = sender.publish(denied, b"", None).await.expect_err(denied);
        assert_eq!(failure.kind, Kind::Denied);
    }
}

#[tokio::test]
async fn a_gigabyte_is_refused_by_its_size() {
    let scene = Scene::start().await;
    let sender = scene.sender(&[]).await;
    sender.publish("a", b"small", None).await.expect("it is up");
    let before = scene.host.peak_memory();
    let failure = sender.publish("a", &vec![0; 1 << 30], None).await.expect_err("a gigabyte");
    assert_eq!(failure.kind, Kind::TooLarge);
    sender.publish("a", b"small", None).await.expect("it is up");
    let more = scene.host.peak_memory().saturating_sub(before);
    assert!(more < 8 << 20, "{more} bytes for what is not sent");
}
