//! Streams: handled at least once, given again with pauses, dead at last, shared by hosts.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use wattle_core::{CallError, ErrorKind};

use crate::{
    host::actor,
    scene::{PATIENCE, Received, Scene, host, pairs},
    server::{LOOK_PAUSE, run},
};

const STREAM: [(&str, &str); 2] = [("subscriptions", "a"), ("streams", "true")];
const STREAMS: [(&str, &str); 1] = [("streams", "true")];

/// Enough that two hosts both get some, and that a stream for a hundred is cut.
const MESSAGES: u32 = 400;

type Entries = Vec<(String, HashMap<String, Vec<u8>>)>;

async fn entries(scene: &Scene, key: &str) -> Entries {
    scene.server.command(&[b"XRANGE", key.as_bytes(), b"-", b"+"]).await
}

/// Waits until nothing of a stream is under way or waits for its next attempt.
async fn settled(scene: &Scene, key: &str) {
    let mut asking = scene.server.connection().await;
    let settled = async {
        loop {
            let groups: Vec<HashMap<String, redis::Value>> =
                run(&mut asking, &[b"XINFO", b"GROUPS", key.as_bytes()]).await;
            let of = |name: &str| groups[0].get(name).cloned();
            if (of("pending"), of("lag"))
                == (Some(redis::Value::Int(0)), Some(redis::Value::Int(0)))
            {
                return;
            }
            sleep(LOOK_PAUSE).await;
        }
    };
    timeout(PATIENCE, settled).await.expect("it settles");
}

#[tokio::test]
async fn what_an_actor_refuses_is_given_again_with_pauses_and_put_aside_at_last() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::by(|message| match &*message.body {
        b"poison" => Ok(Err("I can't".into())),
        _ => Ok(Ok(())),
    });
    let limits = [("max_deliver", "3"), ("backoff_ms", "200,400"), ("dead_letter_stream", "dead")];
    scene.handler(&[&STREAM[..], &limits].concat(), actor).await;
    let sender = scene.sender(&STREAMS).await;
    let started = Instant::now();
    sender.publish("a", b"poison", Some("answers")).await.expect("it is kept");
    for _ in 0..3 {
        assert_eq!(received.text().await, "poison");
    }
    assert!(started.elapsed() >= Duration::from_millis(600), "{:?}", started.elapsed());
    settled(&scene, "a").await;
    let dead = entries(&scene, "dead").await;
    let [(_, fields)] = &dead[..] else { panic!("once, not {}", dead.len()) };
    for (name, value) in [
        ("body", "poison"),
        ("reply-to", "answers"),
        ("wattle-dead-reason", "the actor said: I can't"),
        ("wattle-dead-stream", "a"),
        ("wattle-dead-deliveries", "3"),
    ] {
        assert_eq!(fields[name], value.as_bytes(), "{name}");
    }
    sender.publish("a", b"good", None).await.expect("it is kept");
    assert_eq!(received.text().await, "good", "the poison does not come again");
}

#[tokio::test]
async fn messages_that_are_handled_one_by_one_do_not_wait_for_new_ones_to_come() {
    const FAILING: u32 = 12;
    let scene = Scene::start().await;
    let seen = std::sync::Mutex::new(BTreeSet::new());
    let (actor, mut received) = Received::by(move |message| {
        let is_new = seen.lock().expect("no poison").insert(message.body.to_vec());
        if is_new { Ok(Err("not the first time".into())) } else { Ok(Ok(())) }
    });
    let limits = [("max_in_flight", "1"), ("backoff_ms", "20")];
    scene.handler(&[&STREAM[..], &limits].concat(), actor).await;
    let sender = scene.sender(&STREAMS).await;
    for number in 0..FAILING {
        sender.publish("a", number.to_string().as_bytes(), None).await.expect("it is kept");
    }
    let started = Instant::now();
    for _ in 0..2 * FAILING {
        received.text().await;
    }
    // A second for each is what a request for new entries takes while there are none.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(u64::from(FAILING) / 2), "{took:?}");
    settled(&scene, "a").await;
}

#[tokio::test]
async fn a_dead_message_that_cannot_be_put_aside_stays_until_it_is_and_then_it_is_there_once() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::by(|_| Ok(Err("never".into())));
    let limits = [("max_deliver", "1"), ("backoff_ms", "50"), ("dead_letter_stream", "dead")];
    scene.handler(&[&STREAM[..], &limits].concat(), actor).await;
    let () = scene.server.command(&[b"SET", b"dead", b"no stream"]).await;
    let sender = scene.sender(&STREAMS).await;
    sender.publish("a", b"precious", None).await.expect("it is kept");
    for _ in 0..3 {
        assert_eq!(received.text().await, "precious", "it is given again");
    }
    let _: u64 = scene.server.command(&[b"DEL", b"dead"]).await;
    settled(&scene, "a").await;
    let dead = entries(&scene, "dead").await;
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].1["body"], b"precious");
}

#[tokio::test]
async fn an_entry_whose_names_are_no_text_keeps_back_no_other() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::all();
    scene.handler(&STREAM, actor).await;
    for (name, value) in [(&b"\xff"[..], &b"odd"[..]), (b"body", b"even")] {
        let _: String = scene.server.command(&[b"XADD", b"a", b"*", name, value]).await;
    }
    let mut both = [received.text().await, received.text().await];
    both.sort();
    assert_eq!(both, ["even", "odd"]);
    settled(&scene, "a").await;
}

#[tokio::test]
async fn an_entry_whose_place_for_an_answer_is_empty_awaits_none() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::all();
    scene.handler(&STREAM, actor).await;
    let entry = [&b"XADD"[..], b"a", b"*", b"body", b"b", b"reply-to", b""];
    let _: String = scene.server.command(&entry).await;
    assert_eq!(received.next().await.reply_to, None);
    settled(&scene, "a").await;
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
    let limits = [("max_deliver", "2"), ("backoff_ms", "10"), ("dead_letter_stream", "dead")];
    scene.handler(&[&STREAM[..], &limits].concat(), actor).await;
    let sender = scene.sender(&STREAMS).await;
    sender.publish("a", b"patient", None).await.expect("it is kept");
    for _ in 0..5 {
        assert_eq!(received.text().await, "patient");
    }
    settled(&scene, "a").await;
    assert!(entries(&scene, "dead").await.is_empty());
}

#[tokio::test]
async fn a_message_that_fits_into_no_call_is_put_aside_at_once_and_holds_up_nothing() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::all();
    let limits = [("dead_letter_stream", "dead"), ("max_in_flight", "1")];
    scene.handler(&[&STREAM[..], &limits].concat(), actor).await;
    let big = vec![0; 5 << 20];
    let _: String = scene.server.command(&[b"XADD", b"a", b"*", b"body", &big]).await;
    let _: String = scene.server.command(&[b"XADD", b"a", b"*", b"anything", b"small"]).await;
    assert_eq!(received.text().await, "small", "of an entry of others, the first field");
    settled(&scene, "a").await;
    assert_eq!(entries(&scene, "dead").await[0].1["body"].len(), big.len());
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
    scene.sender(&STREAMS).await.publish("a", b"", None).await.expect("it is kept");
    sleep(Duration::from_secs(7)).await; // more than twice as long as others wait for a word
    go_on.add_permits(1);
    settled(&scene, "a").await;
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
    scene.sender(&STREAMS).await.publish("a", b"precious", None).await.expect("it is kept");
    assert_eq!(received.text().await, "precious");
    scene.host.kill().await;

    let second = host(&scene.server).await;
    let (actor, mut received) = Received::all();
    second.handler(pairs(&config), actor).await.expect("a link");
    assert_eq!(received.text().await, "precious");
    settled(&scene, "a").await;
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
    let sender = scene.sender(&STREAMS).await;
    for body in ["first", "second", "third"] {
        sender.publish("a", body.as_bytes(), None).await.expect("it is kept");
    }
    scene.handler(&config, slow).await;
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
async fn two_hosts_with_one_link_share_a_stream() {
    let scene = Scene::start().await;
    let second = host(&scene.server).await;
    let (shared, mut shares) = Received::all();
    for host in [&scene.host, &second] {
        host.handler(pairs(&STREAM), shared.clone()).await.expect("a link");
    }
    let sender = scene.sender(&STREAMS).await;
    for number in 0..MESSAGES {
        sender.publish("a", number.to_string().as_bytes(), None).await.expect("it is kept");
    }
    let mut times = BTreeMap::new();
    for _ in 0..MESSAGES {
        *times.entry(shares.text().await).or_insert(0) += 1;
    }
    assert!(shares.now().is_none() && times.values().all(|times| *times == 1), "each once");
}

#[tokio::test]
async fn a_stream_is_kept_about_as_short_as_its_link_says() {
    let scene = Scene::start().await;
    let sender = scene.sender(&[("streams", "true"), ("max_len", "100")]).await;
    for number in 0..MESSAGES {
        sender.publish("a", number.to_string().as_bytes(), None).await.expect("it is kept");
    }
    let len: u64 = scene.server.command(&[b"XLEN", b"a"]).await;
    assert!((100..250).contains(&len), "{len} are about a hundred, as Redis trims whole blocks");
}
