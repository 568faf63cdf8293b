//! A server that is killed, hangs or forbids.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::jetstream;
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
    server::{LOOK_PAUSE, Server},
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

#[tokio::test]
async fn a_server_that_hangs_does_not_slow_the_links_to_another() {
    let scene = Scene::start().await;
    let hanging = Server::start().await;
    let stalled = scene.sender(&[("url", &hanging.url())]).await;
    let ignored = [("url", hanging.url()), ("subscriptions", "a".to_owned())];
    let ignored = ignored.each_ref().map(|(name, value)| (*name, value.as_str()));
    scene.handler(&ignored, Received::all().0).await;
    let (actor, mut received) = Received::all();
    scene.handler(&[("subscriptions", "a")], actor).await;
    let sender = scene.sender(&[]).await;
    stalled.publish("a", b"", None).await.expect("it is up");

    hanging.freeze().await;
    let waiting = stalled.publish("a", b"lost", None);
    let mut took = Vec::new();
    let passing = async {
        for _ in 0..50 {
            let started = Instant::now();
            sender.publish("a", b"passes", None).await.expect("it is up");
            assert_eq!(received.text().await, "passes");
            took.push(started.elapsed());
        }
    };
    let (failed, ()) = futures::join!(waiting, passing);
    assert_eq!(failed.expect_err("it hangs").kind, Kind::Interrupted);
    took.sort();
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    assert!(median < Duration::from_millis(200) && longest < Duration::from_secs(2), "{took:?}");
}

/// Actors that send at the same time.
const SENDERS: u32 = 8;
/// Messages that are handled between two blows: about a second's worth.
const BETWEEN: usize = 300;
/// A server writes down ten times a second which messages were acknowledged. One that is killed gives the last ones again: on a
/// slow machine those of some seconds.
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
        let sender = scene.sender(&[("stream", "A")]).await;
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
    let context = jetstream::new(scene.server.client().await);
    let kept = context.get_stream("A").await.expect("it is there").get_info().await.expect("it is");
    assert!(kept.state.messages >= acknowledged.len() as u64, "none of them is lost");
    for (body, times) in handled.lock().iter().filter(|(_, times)| times.len() > 1) {
        let about = blows
            .iter()
            .any(|(killed, back)| times[0] + WINDOW >= *killed && times[0] <= *back + WINDOW);
        assert!(about, "{} came again for no reason", String::from_utf8_lossy(body));
    }
}

const STREAM: [(&str, &str); 4] =
    [("stream", "A"), ("create_stream", "true"), ("subscriptions", "a.>"), ("ack_wait_ms", "5000")];

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
        match sender.publish("a.x", &body, None).await {
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

/// Less than a call's deadline, which is how long one would wait for a confirmation that does not come.
const UNCONFIRMED: Duration = Duration::from_secs(8);

#[tokio::test]
async fn what_the_server_forbids_is_denied_and_a_login_without_an_inbox_of_its_own_publishes() {
    let lines = "authorization { users: [
        { user: sender, password: p, permissions: { publish: [\"good.>\"], subscribe: [\"good.>\", \"_INBOX.>\"] } }
        { user: deaf, password: p, permissions: { publish: [\"good.>\", \"_INBOX.>\"], subscribe: [\"good.>\"] } }
        { user: other, password: p, permissions: { publish: { deny: [\"bad.>\"] } } }
    ] }";
    let scene = Scene::start_with(lines).await;
    let login = |user: &str| scene.server.url().replace("nats://", &format!("nats://{user}:p@"));
    let (actor, mut received) = Received::all();
    scene.handler(&[("url", &login("other")), ("subscriptions", "good.>")], actor).await;

    let other = scene.sender(&[("url", &login("other"))]).await;
    let failure = other.publish("bad.x", b"", None).await.expect_err("it may not");
    assert_eq!(failure.kind, Kind::Denied, "{failure}");
    other.publish("good.x", b"other", None).await.expect("it may");
    assert_eq!(received.text().await, "other");

    for user in ["sender", "deaf"] {
        let sender = scene.sender(&[("url", &login(user))]).await;
        let published = timeout(UNCONFIRMED, sender.publish("good.x", user.as_bytes(), None)).await;
        published.expect("it does not wait for a confirmation that cannot come").expect("it may");
        assert_eq!(received.text().await, user);
    }
}
