//! Messages that the broker keeps: handled at least once, given again with pauses, dead at last, shared by hosts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use rumqttc::v5::mqttbytes::{QoS, v5::PublishProperties};
use tempfile::TempDir;
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use wattle_core::{CallError, ErrorKind};

use crate::{
    host::{Host, actor},
    scene::{PATIENCE, Received, Scene, host, pairs},
    server::{LOOK_PAUSE, Server},
    stranger::Stranger,
};

/// Enough that two hosts both get some.
const MESSAGES: u32 = 200;

/// A provider whose folder outlives it.
pub(crate) async fn host_in(dir: &TempDir, server: &Server) -> Host {
    host_at(dir, &server.url()).await
}

/// The same, with a way of its own to its broker.
pub(crate) async fn host_at(dir: &TempDir, url: &str) -> Host {
    let dir = dir.path().to_str().expect("text");
    let config = pairs(&[("url", url), ("data-dir", dir)]);
    Host::start(env!("CARGO_BIN_EXE_wattle-messaging-mqtt"), config).await
}

#[tokio::test]
async fn what_an_actor_refuses_is_given_again_with_pauses_and_put_aside_at_last() {
    let scene = Scene::start().await;
    let mut dead = Stranger::listening(&scene.server, "dead/a").await;
    let (actor, mut received) = Received::by(|message| match &*message.body {
        b"poison" => Ok(Err("I\ncan't".into())),
        _ => Ok(Ok(())),
    });
    let config = [
        ("subscriptions", "a"),
        ("max_deliver", "3"),
        ("backoff_ms", "200,400"),
        ("dead_letter_topic", "dead/a"),
    ];
    scene.handler(&config, actor).await;
    let sender = scene.sender(&[]).await;
    let started = Instant::now();
    sender.publish("a", b"poison", None).await.expect("it is kept");
    for _ in 0..3 {
        assert_eq!(received.text().await, "poison");
    }
    assert!(started.elapsed() >= Duration::from_millis(600), "{:?}", started.elapsed());
    let message = dead.next().await;
    assert_eq!(&message.payload[..], b"poison");
    let said = message.properties.expect("why").user_properties;
    for (name, value) in [
        ("wattle-dead-reason", "the actor said: I can't"),
        ("wattle-dead-topic", "a"),
        ("wattle-dead-deliveries", "3"),
    ] {
        assert!(said.contains(&(name.to_owned(), value.to_owned())), "{name}: {said:?}");
    }
    sender.publish("a", b"good", None).await.expect("it is kept");
    assert_eq!(received.text().await, "good", "the poison does not come again");
}

#[tokio::test]
async fn whatever_an_actor_says_does_not_keep_a_dead_message_from_its_place() {
    let scene = Scene::start().await;
    let mut dead = Stranger::listening(&scene.server, "dead/a").await;
    let (actor, _received) = Received::by(|_| Ok(Err("\u{ffff}\u{1}no".into())));
    let config = [("subscriptions", "a"), ("max_deliver", "1"), ("dead_letter_topic", "dead/a")];
    scene.handler(&config, actor).await;
    scene.sender(&[]).await.publish("a", b"precious", None).await.expect("it is kept");
    let message = dead.next().await;
    assert_eq!(&message.payload[..], b"precious");
    let said = message.properties.expect("why").user_properties;
    let reason = ("wattle-dead-reason".to_owned(), "the actor said:   no".to_owned());
    assert!(said.contains(&reason), "{said:?}");
}

#[tokio::test]
async fn a_dead_message_that_the_broker_takes_only_without_its_reason_goes_without() {
    let server = Server::start_with("allow_anonymous true\nmax_packet_size 1500").await;
    let host = host(&server).await;
    let mut dead = Stranger::listening(&server, "dead/a").await;
    let (actor, _received) = Received::by(|_| Ok(Err("no".repeat(1_000))));
    let config = [("subscriptions", "a"), ("max_deliver", "1"), ("dead_letter_topic", "dead/a")];
    host.handler(pairs(&config), actor).await.expect("a link");
    let sender = host.sender([].into(), pairs(&[])).await.expect("a link");
    let body = [7; 1_000];
    sender.publish("a", &body, None).await.expect("it is kept");
    let message = dead.next().await;
    assert_eq!(message.payload[..], body);
    assert!(message.properties.is_none_or(|said| said.user_properties.is_empty()));
}

#[tokio::test]
async fn a_dead_message_for_which_nobody_listens_stays_until_somebody_does() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::by(|_| Ok(Err("never".into())));
    let config = [
        ("subscriptions", "a"),
        ("max_deliver", "1"),
        ("backoff_ms", "50"),
        ("dead_letter_topic", "dead/a"),
    ];
    scene.handler(&config, actor).await;
    let sender = scene.sender(&[]).await;
    sender.publish("a", b"precious", None).await.expect("it is kept");
    assert_eq!(received.text().await, "precious");
    sleep(Duration::from_millis(500)).await; // it was tried at least once
    let mut dead = Stranger::listening(&scene.server, "dead/a").await;
    assert_eq!(&dead.next().await.payload[..], b"precious");
}

#[tokio::test]
async fn a_message_that_never_reached_its_actor_is_not_dead() {
    let scene = Scene::start().await;
    let attempts = AtomicU32::new(0);
    let (actor, mut received) =
        Received::by(move |_| match attempts.fetch_add(1, Ordering::SeqCst) {
            0..4 => Err(CallError::new(ErrorKind::NotFound, "it is not started yet")),
            _ => Ok(Ok(())),
        });
    let config = [
        ("subscriptions", "a"),
        ("max_deliver", "2"),
        ("backoff_ms", "10"),
        ("dead_letter_topic", "dead/a"),
    ];
    scene.handler(&config, actor).await;
    scene.sender(&[]).await.publish("a", b"patient", None).await.expect("it is kept");
    for _ in 0..5 {
        assert_eq!(received.text().await, "patient");
    }
}

#[tokio::test]
async fn what_a_killed_provider_had_under_way_is_given_to_the_next_in_its_folder() {
    let (server, dir) = (Server::start().await, tempfile::tempdir().expect("a folder"));
    let mut first = host_in(&dir, &server).await;
    let (begun, mut received) = Received::all();
    let hangs = actor(move |message| {
        let begun = begun(message);
        async move {
            let _ = begun.await;
            std::future::pending().await
        }
    });
    for qos in ["1", "2"] {
        let config = [("subscriptions", "a"), ("qos", qos)];
        let link = first.handler(pairs(&config), hangs.clone()).await.expect("a link");
        let sender = host(&server).await;
        let sending = sender.sender([].into(), pairs(&[("qos", qos)])).await.expect("a link");
        sending.publish("a", b"precious", None).await.expect("it is kept");
        assert_eq!(received.text().await, "precious");
        first.kill().await;
        sending.publish("a", b"while away", None).await.expect("it is kept");

        let second = host_in(&dir, &server).await;
        let (actor, mut again) = Received::all();
        for _ in 1..link {
            second.next(); // so that the link is the same
        }
        second.handler(pairs(&config), actor).await.expect("a link");
        let both = BTreeSet::from([again.text().await, again.text().await]);
        assert_eq!(both, ["precious", "while away"].map(str::to_owned).into());
        second.drain().await;
        first = host_in(&dir, &server).await;
    }
}

#[tokio::test]
async fn a_drained_provider_ends_what_is_under_way_and_leaves_the_rest_to_the_next() {
    let (server, dir) = (Server::start().await, tempfile::tempdir().expect("a folder"));
    let first = host_in(&dir, &server).await;
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
    let config = [("subscriptions", "a"), ("max_in_flight", "1")];
    first.handler(pairs(&config), slow).await.expect("a link");
    let sending = host(&server).await;
    let sender = sending.sender([].into(), pairs(&[])).await.expect("a link");
    for body in ["first", "second", "third"] {
        sender.publish("a", body.as_bytes(), None).await.expect("it is kept");
    }
    begun.acquire().await.expect("open").forget();
    let ending = async {
        sleep(Duration::from_secs(2)).await; // it takes no more by then
        go_on.add_permits(10);
    };
    futures::join!(first.drain(), ending);
    let second = host_in(&dir, &server).await;
    let (actor, mut received) = Received::all();
    second.handler(pairs(&config), actor).await.expect("a link");
    assert_eq!(ended.text().await, "first");
    assert_eq!([received.text().await, received.text().await], ["second", "third"]);
    assert!(ended.now().is_none() && received.now().is_none(), "each once");
}

#[tokio::test]
async fn two_hosts_with_one_link_share_its_messages_and_each_gets_its_own_without_a_group() {
    let scene = Scene::start().await;
    let second = host(&scene.server).await;
    let (shared, mut shares) = Received::all();
    let (each, mut copies) = Received::all();
    for host in [&scene.host, &second] {
        host.handler(pairs(&[("subscriptions", "a")]), shared.clone()).await.expect("a link");
        host.handler(pairs(&[("subscriptions", "a|")]), each.clone()).await.expect("a link");
    }
    let sender = scene.sender(&[]).await;
    for number in 0..MESSAGES {
        sender.publish("a", number.to_string().as_bytes(), None).await.expect("it is kept");
    }
    let (mut times, mut twice) = (BTreeMap::new(), BTreeMap::new());
    for _ in 0..MESSAGES {
        *times.entry(shares.text().await).or_insert(0) += 1;
        *twice.entry(copies.text().await).or_insert(0) += 1;
        *twice.entry(copies.text().await).or_insert(0) += 1;
    }
    assert!(shares.now().is_none() && times.values().all(|times| *times == 1), "each once");
    assert!(copies.now().is_none() && twice.values().all(|times| *times == 2), "each twice");
}

#[tokio::test]
async fn a_deleted_link_s_session_is_kept_no_more() {
    let (server, dir) = (Server::start().await, tempfile::tempdir().expect("a folder"));
    let host = host_in(&dir, &server).await;
    let link = host.handler(pairs(&[("subscriptions", "a")]), Received::all().0).await;
    let sender = host.sender([].into(), pairs(&[("needs_subscriber", "true")])).await;
    let sender = sender.expect("a link");
    sender.publish("a", b"", None).await.expect("somebody has subscribed");
    host.delete(link.expect("a link")).await;
    let gone = async {
        while sender.publish("a", b"", None).await.is_ok() {
            sleep(LOOK_PAUSE).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("nobody is subscribed any more");
    let files = std::fs::read_dir(dir.path().join("sessions")).expect("a folder");
    assert_eq!(files.count(), 0, "and its name is forgotten");
}

#[tokio::test]
async fn a_changed_link_listens_to_what_it_says_now_and_to_no_more() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::all();
    let link = scene.handler(&[("subscriptions", "a,b"), ("max_in_flight", "1")], actor).await;
    let changed = pairs(&[("subscriptions", "b,c"), ("max_in_flight", "1")]);
    let side = wattle_core::provider::Side::Source;
    scene.host.put(link, side, [].into(), changed).await.expect("it holds");
    let sender = scene.sender(&[]).await;
    for topic in ["a", "b", "c"] {
        sender.publish(topic, topic.as_bytes(), None).await.expect("it is up");
    }
    assert_eq!([received.text().await, received.text().await], ["b", "c"]);
    assert!(received.now().is_none());
}

#[tokio::test]
async fn a_link_that_is_changed_otherwise_keeps_its_session() {
    let (server, dir) = (Server::start().await, tempfile::tempdir().expect("a folder"));
    let host = host_in(&dir, &server).await;
    let (actor, mut received) = Received::by(|_| Ok(Err("not yet".into())));
    let of = |keep_alive| {
        let subscribed = [("subscriptions", "a"), ("backoff_ms", "600000")];
        pairs(&[&subscribed[..], &[("keep_alive_sec", keep_alive)]].concat())
    };
    let link = host.handler(of("5"), actor).await.expect("a link");
    let sender = host.sender([].into(), pairs(&[])).await.expect("a link");
    sender.publish("a", b"precious", None).await.expect("it is kept");
    assert_eq!(received.text().await, "precious");
    for keep_alive in ["6", "7", "8"] {
        let side = wattle_core::provider::Side::Source;
        host.put(link, side, [].into(), of(keep_alive)).await.expect("it holds");
        assert_eq!(received.text().await, "precious", "the broker has it still");
        sleep(Duration::from_millis(200)).await; // whatever else was begun with the change has ended
    }
}

#[tokio::test]
async fn another_s_request_gets_its_correlation_data_back() {
    let scene = Scene::start().await;
    let answering = Arc::new(scene.sender(&[]).await);
    let answers = actor(move |message| {
        let answering = Arc::clone(&answering);
        async move {
            let reply_to = message.reply_to.expect("somebody waits");
            let sent = answering.publish(&reply_to, b"pong", None).await;
            Ok(sent.map_err(|failure| failure.to_string()))
        }
    });
    scene.handler(&[("subscriptions", "ping")], answers).await;
    let mut stranger = Stranger::listening(&scene.server, "answers/here").await;
    let properties = PublishProperties {
        response_topic: Some("answers/here".into()),
        correlation_data: Some(b"\0which\xff".to_vec().into()),
        ..PublishProperties::default()
    };
    let asked =
        stranger.client.publish_with_properties("ping", QoS::AtLeastOnce, false, "?", properties);
    asked.await.expect("it is asked");
    let answer = stranger.next().await;
    assert_eq!(&answer.payload[..], b"pong");
    let data = answer.properties.and_then(|said| said.correlation_data);
    assert_eq!(data.as_deref(), Some(&b"\0which\xff"[..]));
}
