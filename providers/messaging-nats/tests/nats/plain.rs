//! Subscriptions: who gets what, and what becomes of what nobody can take.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use wattle_core::{CallError, ErrorKind};
use wattle_messaging::Kind;

use crate::{
    host::actor,
    scene::{PATIENCE, Received, Scene, host, pairs},
    server::LOOK_PAUSE,
};

/// Enough that two hosts both get some.
const MESSAGES: u32 = 200;

#[tokio::test]
async fn two_hosts_with_one_link_share_its_messages_unless_it_says_otherwise() {
    let scene = Scene::start().await;
    let second = host(&scene.server).await;
    let (shared, mut shares) = Received::all();
    let (everywhere, mut copies) = Received::all();
    for host in [&scene.host, &second] {
        let config = pairs(&[("subscriptions", "shared.*")]);
        host.handler(config, shared.clone()).await.expect("a link");
        let config = pairs(&[("subscriptions", "everywhere.*|")]);
        host.handler(config, everywhere.clone()).await.expect("a link");
    }
    let sender = scene.sender(&[]).await;
    for number in 0..MESSAGES {
        for subject in ["shared", "everywhere"] {
            let subject = format!("{subject}.{number}");
            sender.publish(&subject, b"", None).await.expect("it is up");
        }
    }
    let mut times = BTreeMap::new();
    for _ in 0..MESSAGES {
        *times.entry(shares.next().await.subject).or_insert(0) += 1;
    }
    for _ in 0..2 * MESSAGES {
        *times.entry(copies.next().await.subject).or_insert(0) += 1;
    }
    assert!(shares.now().is_none() && copies.now().is_none(), "nothing came once too often");
    for (subject, times) in times {
        assert_eq!(times, if subject.starts_with("shared") { 1 } else { 2 }, "{subject}");
    }
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
    for number in 0..MESSAGES {
        sender.publish("slow", b"", None).await.expect("it is up");
        sender.publish("quick", number.to_string().as_bytes(), None).await.expect("it is up");
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
async fn a_message_that_an_actor_provably_did_not_get_is_given_again() {
    let scene = Scene::start().await;
    let attempts = AtomicU32::new(0);
    let (actor, mut received) =
        Received::by(move |_| match attempts.fetch_add(1, Ordering::SeqCst) {
            0 => Err(CallError::new(ErrorKind::Unavailable, "starting")),
            1 => Err(CallError::new(ErrorKind::Overloaded, "busy")),
            2 => Err(CallError::new(ErrorKind::Trapped, "it ran")),
            _ => Ok(Ok(())),
        });
    scene.handler(&[("subscriptions", "a"), ("max_in_flight", "1")], actor).await;
    let sender = scene.sender(&[]).await;
    for body in ["first", "second"] {
        sender.publish("a", body.as_bytes(), None).await.expect("it is up");
    }
    for expected in ["first", "first", "first", "second"] {
        assert_eq!(received.text().await, expected, "what may have run is not given again");
    }
}

#[tokio::test]
async fn a_message_that_fits_into_no_call_is_dropped_and_what_follows_is_not() {
    let scene = Scene::start_with("max_payload: 8MB").await;
    let (actor, mut received) = Received::all();
    scene.handler(&[("subscriptions", "a")], actor).await;
    let client = scene.server.client().await;
    client.publish("a", vec![0; 5 << 20].into()).await.expect("it is up");
    client.publish("a", "small".into()).await.expect("it is up");
    assert_eq!(received.text().await, "small");
}

#[tokio::test]
async fn what_is_under_way_ends_when_the_provider_is_drained() {
    let scene = Scene::start().await;
    let (go_on, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let ended = Arc::new(AtomicU32::new(0));
    let (gate, began, ends) = (Arc::clone(&go_on), Arc::clone(&begun), Arc::clone(&ended));
    let slow = actor(move |_| {
        let (gate, ends) = (Arc::clone(&gate), Arc::clone(&ends));
        began.add_permits(1);
        async move {
            gate.acquire().await.expect("open").forget();
            ends.fetch_add(1, Ordering::SeqCst);
            Ok(Ok(()))
        }
    });
    scene.handler(&[("subscriptions", "a"), ("max_in_flight", "1")], slow).await;
    let sender = scene.sender(&[]).await;
    for _ in 0..2 {
        sender.publish("a", b"", None).await.expect("it is up");
    }
    begun.acquire().await.expect("open").forget();
    let draining = scene.host.drain();
    let ending = async { go_on.add_permits(10) };
    futures::join!(draining, ending);
    assert_eq!(ended.load(Ordering::SeqCst), 2, "the one under way, and the one that waited");
    let failure = sender.request("a", b"", 1_000).await.expect_err("nobody listens any more");
    assert_eq!(failure.kind, Kind::NoResponders);
}
