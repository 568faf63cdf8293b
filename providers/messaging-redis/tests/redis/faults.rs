//! A Redis that is killed or hangs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use wattle_core::{Constraints, call::Call, provider::Side};
use wattle_messaging::{Caller, Failure, Kind};

use crate::{
    host::{Actor, DEADLINE, Link, actor},
    scene::{PATIENCE, Received, Scene, pairs},
    server::LOOK_PAUSE,
};

/// How soon everything must work again once the server is back, on a machine with much else to do. An idle one needs a second.
const SOON: Duration = Duration::from_secs(15);
/// What "at once" means on such a machine: less than any wait for an answer.
const AT_ONCE: Duration = Duration::from_millis(500);
/// What such a machine may add to a deadline, or to many calls that fail at once.
const SLACK: Duration = Duration::from_secs(5);
/// How long a server stands still.
const FROZEN: Duration = Duration::from_secs(10);

/// Publishes until messages get to their actor again, and says how long that took.
async fn until_it_serves<C: Call>(sender: &Caller<C>, received: &mut Received) {
    let started = Instant::now();
    let back = async {
        loop {
            if let Err(failure) = sender.publish("a", b"again", None).await {
                assert_away(&failure);
            }
            sleep(LOOK_PAUSE).await;
            while let Some(message) = received.now() {
                if *message.body == *b"again" {
                    return;
                }
            }
        }
    };
    timeout(SOON, back).await.expect("it serves, and hands messages over, soon");
    println!("it served again after {:?}", started.elapsed());
}

/// What a caller is told of a server that is dead or hangs. On a slow machine the call's own deadline may be what ends it.
fn assert_away(failure: &Failure) {
    let kinds = [Kind::Unavailable, Kind::Interrupted, Kind::Timeout];
    assert!(kinds.contains(&failure.kind), "{failure}");
}

#[tokio::test]
async fn a_killed_server_fails_calls_at_once_and_everything_works_soon_after_its_return() {
    let mut scene = Scene::start().await;
    let (actor, mut received) = Received::all();
    scene.handler(&[("subscriptions", "a")], actor).await;
    let sender = scene.sender(&[]).await;
    sender.publish("a", b"before", None).await.expect("it is up");
    assert_eq!(received.text().await, "before");
    for _ in 0..3 {
        scene.server.kill();
        let started = Instant::now();
        for _ in 0..10 {
            let failure = sender.publish("a", b"lost", None).await.expect_err("it is dead");
            assert!(matches!(failure.kind, Kind::Unavailable | Kind::Interrupted), "{failure}");
            let failure = sender.request("a", b"", 5_000).await.expect_err("it is dead");
            assert!(matches!(failure.kind, Kind::Unavailable | Kind::Interrupted), "{failure}");
        }
        assert!(started.elapsed() < SLACK, "{:?}", started.elapsed());
        scene.server.restart().await;
        until_it_serves(&sender, &mut received).await;
        while received.now().is_some() {}
    }
}

#[tokio::test]
async fn a_server_that_hangs_fails_calls_within_their_deadline_and_everything_works_soon_after() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::all();
    scene.handler(&[("subscriptions", "a")], actor).await;
    let link = scene.host.next();
    scene.host.put(link, Side::Target, Constraints::new(), pairs(&[])).await.expect("a link");
    let deadline = Duration::from_secs(1);
    let sender = scene.host.caller(link, deadline);
    let patient = scene.host.caller(link, DEADLINE);
    patient.publish("a", b"before", None).await.expect("it is up");

    scene.server.freeze().await;
    let frozen = Instant::now();
    let mut at_once = false;
    while frozen.elapsed() < FROZEN || (!at_once && frozen.elapsed() < FROZEN * 3) {
        let started = Instant::now();
        let failure = sender.publish("a", b"lost", None).await.expect_err("it hangs");
        assert!(started.elapsed() < deadline + SLACK, "{failure} {:?}", started.elapsed());
        assert_away(&failure);
        at_once = started.elapsed() < AT_ONCE;
        sleep(Duration::from_millis(100)).await; // calls all the while, and not all of the machine
    }
    assert!(at_once, "later ones need not wait");
    scene.server.thaw();
    until_it_serves(&sender, &mut received).await;
}

/// Actors that send at the same time.
const SENDERS: u32 = 8;
/// Messages that are handled between two blows: about a second's worth.
const BETWEEN: usize = 300;
/// Only what was under way when Redis was killed may come again: its acknowledgement, or Redis's answer to it, was lost. On a
/// slow machine that is some seconds' worth.
const WINDOW: Duration = Duration::from_secs(3);

/// When each message was handled.
type Handled = Arc<Mutex<BTreeMap<Vec<u8>, Vec<Instant>>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stream_acknowledged_is_handled_although_the_server_is_killed_again_and_again() {
    let mut scene = Scene::start().await;
    let handled = Handled::default();
    scene.handler(&STREAM, remembering(&handled)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        let sender = scene.sender(&[("streams", "true")]).await;
        senders.spawn(send(number, sender, Arc::clone(&stop)));
    }
    let mut blows = Vec::new();
    for _ in 0..3 {
        further(&handled, BETWEEN).await;
        let killed = Instant::now();
        scene.server.kill();
        scene.server.restart().await;
        blows.push((killed, Instant::now()));
    }
    sleep(WINDOW + Duration::from_secs(1)).await; // a stretch of which nothing may come twice
    further(&handled, BETWEEN).await;
    stop.store(true, Ordering::Relaxed);
    let acknowledged: BTreeSet<_> = senders.join_all().await.into_iter().flatten().collect();

    let missing = || {
        let handled = handled.lock();
        acknowledged.iter().filter(|body| !handled.contains_key(*body)).count()
    };
    let all = async {
        while missing() > 0 {
            sleep(Duration::from_millis(50)).await; // they are under way
        }
    };
    let done = timeout(PATIENCE * 2, all).await;
    done.unwrap_or_else(|_| panic!("{} of {} were lost", missing(), acknowledged.len()));
    let kept: usize = scene.server.command(&[b"XLEN", b"a"]).await;
    assert!(kept >= acknowledged.len(), "none of them is lost");
    for (body, times) in handled.lock().iter().filter(|(_, times)| times.len() > 1) {
        let about = blows
            .iter()
            .any(|(killed, back)| times[0] + WINDOW >= *killed && times[0] <= *back + WINDOW);
        assert!(about, "{} came again for no reason", String::from_utf8_lossy(body));
    }
}

const STREAM: [(&str, &str); 3] =
    [("subscriptions", "a"), ("streams", "true"), ("ack_wait_ms", "5000")];

fn remembering(handled: &Handled) -> Actor {
    let handled = Arc::clone(handled);
    actor(move |message| {
        let body = message.body.into_owned();
        handled.lock().entry(body).or_default().push(Instant::now());
        std::future::ready(Ok(Ok(())))
    })
}

/// Sends until it is told to stop, and answers what was acknowledged.
async fn send(number: u32, sender: Caller<Link>, stop: Arc<AtomicBool>) -> BTreeSet<Vec<u8>> {
    let mut acknowledged = BTreeSet::new();
    for next in 0_u32.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let body = format!("{number}-{next}").into_bytes();
        match sender.publish("a", &body, None).await {
            Ok(()) => drop(acknowledged.insert(body)),
            Err(_) => sleep(Duration::from_millis(20)).await, // as a sender does that is told of a failure
        }
    }
    acknowledged
}

/// Waits until so many more messages were handled.
async fn further(handled: &Handled, count: usize) {
    let wanted = handled.lock().len() + count;
    let further = async {
        while handled.lock().len() < wanted {
            sleep(Duration::from_millis(10)).await; // the load goes on
        }
    };
    timeout(PATIENCE * 2, further).await.expect("messages are handled");
}
