//! A stream's messages: handled at least once, given again with pauses, dead at last.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::jetstream;
use futures::StreamExt as _;
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

/// A stream of everything below `a.`, with short waits.
const STREAM: [(&str, &str); 3] =
    [("stream", "A"), ("create_stream", "true"), ("subscriptions", "a.>")];

/// A stream for what is given up.
async fn stream_of_dead_messages(scene: &Scene) -> jetstream::stream::Stream {
    let context = jetstream::new(scene.server.client().await);
    let subjects = vec!["dead.>".to_owned()];
    let config = jetstream::stream::Config { name: "DEAD".into(), subjects, ..Default::default() };
    context.create_stream(config).await.expect("a stream")
}

/// Waits until a stream has so many messages, and gives the first.
async fn dead_message(stream: &jetstream::stream::Stream, count: u64) -> jetstream::Message {
    let config = jetstream::consumer::pull::Config::default();
    let consumer = stream.create_consumer(config).await.expect("a consumer");
    let mut messages = consumer.messages().await.expect("messages");
    let next = timeout(PATIENCE, messages.next()).await.expect("a dead message");
    let first = next.expect("a stream").expect("a message");
    let info = stream.get_info().await.expect("it is there");
    assert_eq!(info.state.messages, count, "each is put aside once");
    first
}

#[tokio::test]
async fn what_an_actor_refuses_is_given_again_with_pauses_and_put_aside_at_last() {
    let scene = Scene::start().await;
    let dead = stream_of_dead_messages(&scene).await;
    let (actor, mut received) = Received::by(|message| match &*message.body {
        b"poison" => Ok(Err("I can't\r\nNats-Msg-Id: mine".into())),
        _ => Ok(Ok(())),
    });
    let limits =
        [("max_deliver", "3"), ("backoff_ms", "200,400"), ("dead_letter_subject", "dead.a")];
    scene.handler(&[&STREAM[..], &limits].concat(), actor).await;
    let sender = scene.sender(&[("stream", "A")]).await;
    let started = Instant::now();
    sender.publish("a.x", b"poison", None).await.expect("it is kept");
    for _ in 0..3 {
        assert_eq!(received.text().await, "poison");
    }
    assert!(started.elapsed() >= Duration::from_millis(600), "{:?}", started.elapsed());
    let found = dead_message(&dead, 1).await;
    assert_eq!((found.subject.as_str(), &found.payload[..]), ("dead.a", &b"poison"[..]));
    let headers = found.headers.as_ref().expect("headers");
    let header = |name: &str| headers.get(name).expect(name).as_str().to_owned();
    assert_eq!(header("Wattle-Dead-Reason"), "the actor said: I can't  Nats-Msg-Id: mine");
    assert_eq!(header("Wattle-Dead-Subject"), "a.x");
    assert_eq!(header("Wattle-Dead-Deliveries"), "3");
    sender.publish("a.x", b"good", None).await.expect("it is kept");
    assert_eq!(received.text().await, "good", "the poison does not come again");
}

#[tokio::test]
async fn a_message_that_never_reached_its_actor_is_not_dead() {
    let scene = Scene::start().await;
    let _dead = stream_of_dead_messages(&scene).await;
    let attempts = AtomicU32::new(0);
    let (actor, mut received) =
        Received::by(move |_| match attempts.fetch_add(1, Ordering::SeqCst) {
            0..4 => Err(CallError::new(ErrorKind::NotFound, "it is not started yet")),
            _ => Ok(Ok(())),
        });
    let limits = [("max_deliver", "2"), ("backoff_ms", "10"), ("dead_letter_subject", "dead.a")];
    scene.handler(&[&STREAM[..], &limits].concat(), actor).await;
    let sender = scene.sender(&[("stream", "A")]).await;
    sender.publish("a.x", b"patient", None).await.expect("it is kept");
    for _ in 0..5 {
        assert_eq!(received.text().await, "patient");
    }
}

#[tokio::test]
async fn a_message_that_fits_into_no_call_is_put_aside_at_once_and_holds_up_nothing() {
    let scene = Scene::start_with("max_payload: 8MB").await;
    let dead = stream_of_dead_messages(&scene).await;
    let (actor, mut received) = Received::all();
    let limits = [("dead_letter_subject", "dead.a"), ("max_in_flight", "1")];
    scene.handler(&[&STREAM[..], &limits].concat(), actor).await;
    let client = scene.server.client().await;
    client.publish("a.big", vec![0; 5 << 20].into()).await.expect("it is up");
    client.publish("a.small", "small".into()).await.expect("it is up");
    assert_eq!(received.text().await, "small");
    assert_eq!(dead_message(&dead, 1).await.payload.len(), 5 << 20);
}

#[tokio::test]
async fn a_dead_message_as_large_as_the_server_allows_is_put_aside_without_a_word_beside_it() {
    const LEN: usize = 1 << 20; // the server's default for all of a message, headers included
    let scene = Scene::start().await;
    let dead = stream_of_dead_messages(&scene).await;
    let (actor, _received) = Received::by(|_| Ok(Err("no".into())));
    let limits = [("max_deliver", "2"), ("backoff_ms", "10"), ("dead_letter_subject", "dead.a")];
    scene.handler(&[&STREAM[..], &limits].concat(), actor).await;
    let client = scene.server.client().await;
    client.publish("a.big", vec![7; LEN].into()).await.expect("it is up");
    assert_eq!(dead_message(&dead, 1).await.payload.len(), LEN);
}

#[tokio::test]
async fn a_message_is_not_given_to_another_while_its_actor_still_works() {
    let scene = Scene::start().await;
    let (begun, go_on) = (Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
    let (counted, gate) = (Arc::clone(&begun), Arc::clone(&go_on));
    let slow = actor(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await.expect("open").forget();
            Ok(Ok(()))
        }
    });
    let config = [&STREAM[..], &[("ack_wait_ms", "3000")]].concat();
    scene.handler(&config, slow).await;
    let sender = scene.sender(&[("stream", "A")]).await;
    sender.publish("a.x", b"", None).await.expect("it is kept");
    sleep(Duration::from_secs(7)).await; // more than twice as long as the server waits for a word
    go_on.add_permits(1);
    let context = jetstream::new(scene.server.client().await);
    let acknowledged = async {
        let name = "wattle_test_provider_shop=orders_default";
        let stream = context.get_stream("A").await.expect("it was made");
        while stream.consumer_info(name).await.expect("it was made").num_ack_pending > 0 {
            sleep(LOOK_PAUSE).await;
        }
    };
    timeout(PATIENCE, acknowledged).await.expect("it is acknowledged");
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_a_killed_provider_had_under_way_is_given_to_the_next() {
    let mut scene = Scene::start().await;
    let (begun, mut received) = Received::all();
    let hangs = actor(move |message| {
        let begun = begun(message);
        async move {
            let _ = begun.await;
            std::future::pending().await
        }
    });
    let config = [&STREAM[..], &[("ack_wait_ms", "500")]].concat();
    scene.handler(&config, hangs).await;
    let sender = scene.sender(&[("stream", "A")]).await;
    sender.publish("a.x", b"precious", None).await.expect("it is kept");
    assert_eq!(received.text().await, "precious");
    scene.host.kill().await;

    let second = host(&scene.server).await;
    let (actor, mut received) = Received::all();
    second.handler(pairs(&config), actor).await.expect("a link");
    assert_eq!(received.text().await, "precious");
}

#[tokio::test]
async fn a_drained_provider_leaves_what_it_has_not_begun_to_another_at_once() {
    let scene = Scene::start().await;
    let (go_on, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (gate, began) = (Arc::clone(&go_on), Arc::clone(&begun));
    let (keep, mut ended) = Received::all();
    let slow = actor(move |message| {
        let (gate, kept) = (Arc::clone(&gate), keep(message));
        began.add_permits(1);
        async move {
            gate.acquire().await.expect("open").forget();
            kept.await
        }
    });
    // So long that nothing comes by itself what was not left to the other host.
    let config = [&STREAM[..], &[("max_in_flight", "1"), ("ack_wait_ms", "600000")]].concat();
    scene.handler(&config, slow).await;
    let sender = scene.sender(&[("stream", "A")]).await;
    for body in ["first", "second", "third"] {
        sender.publish("a.x", body.as_bytes(), None).await.expect("it is kept");
    }
    begun.acquire().await.expect("open").forget();
    let ending = async {
        sleep(Duration::from_millis(300)).await; // it takes no more by then; if it does, it handles that, too
        go_on.add_permits(10);
    };
    futures::join!(scene.host.drain(), ending);

    let second = host(&scene.server).await;
    let (actor, mut received) = Received::all();
    second.handler(pairs(&config), actor).await.expect("a link");
    let mut handled = BTreeSet::new();
    while let Some(message) = ended.now() {
        handled.insert(String::from_utf8(message.body.into_owned()).expect("text"));
    }
    assert!(handled.contains("first"), "what was under way has ended: {handled:?}");
    while handled.len() < 3 {
        handled.insert(received.text().await);
    }
    let all = ["first", "second", "third"].map(str::to_owned);
    assert_eq!(handled, all.into(), "by one of the two, and well before any ack_wait");
}

#[tokio::test]
async fn what_no_stream_keeps_was_not_published() {
    let scene = Scene::start().await;
    scene.handler(&STREAM, Received::all().0).await;
    let sender = scene.sender(&[("stream", "A")]).await;
    let failure = sender.publish("elsewhere", b"", None).await.expect_err("no stream has it");
    assert_eq!(failure.kind, Kind::Failed, "{failure}");
    let failure = sender.publish("a.x", b"", Some("b")).await.expect_err("nobody could answer");
    assert_eq!(failure.kind, Kind::Invalid, "{failure}");
}
