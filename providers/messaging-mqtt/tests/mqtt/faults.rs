//! A broker that is killed, hangs or says what it must not.

use std::time::{Duration, Instant, SystemTime};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::mpsc,
    time::{sleep, timeout},
};
use wattle_core::{Constraints, call::Call, provider::Side};
use wattle_messaging::{Caller, Failure, Kind};

use crate::{
    host::DEADLINE,
    isolation::{self, Stoppable},
    kept::host_in,
    rounds::{Links, Mortal, a_hundred_deaths},
    scene::{PATIENCE, Received, Scene, host, pairs},
    server::{LOOK_PAUSE, Server},
};

/// How soon everything must work again once the broker is back, on a machine with much else to do. An idle one needs a second.
const SOON: Duration = Duration::from_secs(15);
/// What "at once" means on such a machine: less than any wait for an answer.
const AT_ONCE: Duration = Duration::from_millis(500);
/// What such a machine may add to a deadline, or to many calls that fail at once.
const SLACK: Duration = Duration::from_secs(5);
/// How long a broker stands still.
const FROZEN: Duration = Duration::from_secs(10);

impl Mortal for Server {
    fn kill(&mut self) -> Option<SystemTime> {
        Some(Self::kill(self))
    }

    async fn restart(&mut self) {
        Self::restart(self).await;
    }

    fn clients(&self) -> usize {
        Self::clients(self)
    }
}

impl Stoppable for Server {
    async fn freeze(&self) {
        Self::freeze(self).await;
    }

    fn thaw(&self) {
        Self::thaw(self);
    }
}

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

/// What a caller is told of a broker that is dead or hangs. On a slow machine the call's own deadline may be what ends it.
fn assert_away(failure: &Failure) {
    let kinds = [Kind::Unavailable, Kind::Interrupted, Kind::Timeout];
    assert!(kinds.contains(&failure.kind), "{failure}");
}

#[tokio::test]
async fn a_killed_broker_fails_calls_at_once_and_everything_works_soon_after_its_return() {
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
async fn a_broker_that_hangs_fails_calls_within_their_deadline_and_everything_works_soon_after() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_acknowledged_and_written_is_lost_in_a_hundred_deaths() {
    let mut scene = Scene::start().await;
    let links = Links {
        subject: "a",
        // A session without its group is all that a Mosquitto has when it comes back: nobody hears then.
        sending: pairs(&[("needs_subscriber", "true")]),
        handing: pairs(&[("subscriptions", "a"), ("backoff_ms", "100")]),
    };
    a_hundred_deaths(&scene.host, &mut scene.server, links).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_whose_broker_hangs_does_not_slow_another() {
    let (well, ill) = (Server::start().await, Server::start().await);
    let host = host(&well).await;
    let other = pairs(&[("url", &ill.url())]);
    isolation::of_a_link(&host, pairs(&[]), other, &ill).await;
}

/// An acknowledgement of a connection, as MQTT 5 has it.
const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];
/// The beginning of a message of 256 MB, the most that MQTT knows.
const ENDLESS: [u8; 5] = [0x32, 0xff, 0xff, 0xff, 0x7f];

#[tokio::test]
async fn a_broker_that_sends_more_than_it_may_is_left_at_the_first_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let served = tokio::spawn(async move {
        let mut left = 0;
        while left < 2 {
            let (mut client, _) = listener.accept().await.expect("a client");
            let mut hello = [0; 1_024];
            let said = client.read(&mut hello).await.expect("it introduces itself");
            assert!(said > 0, "it introduces itself");
            client.write_all(&[&CONNACK[..], &ENDLESS].concat()).await.expect("it listens");
            let piece = vec![0; 1 << 20];
            let mut sent = 0_usize;
            while client.write_all(&piece).await.is_ok() {
                sent += piece.len();
                assert!(sent < 64 << 20, "it reads all of it");
            }
            left += 1;
        }
    });
    let server = Server::start().await;
    let host = host(&server).await;
    let before = host.peak_memory();
    let config = pairs(&[("url", &format!("mqtt://{address}"))]);
    host.sender(Constraints::new(), config).await.expect("it holds, and is not up");
    timeout(PATIENCE, served).await.expect("it is left, again and again").expect("soon");
    let more = host.peak_memory().saturating_sub(before);
    assert!(more < 8 << 20, "{more} bytes for what it does not read");
}

/// A subscription, what it is answered with, and the end of one.
const SUBSCRIBE: u8 = 0x82;
const SUBACK: [u8; 6] = [0x90, 4, 0, 1, 0, 1];
const UNSUBSCRIBE: u8 = 0xa2;
/// The end of a connection, as there are no shared subscriptions.
const NOT_SHARED: [u8; 3] = [0xe0, 1, 0x9e];

/// A broker that answers each kind of packet with these bytes, or ends the connection.
async fn answering(
    listener: TcpListener,
    answer: impl Fn(u8) -> Option<&'static [u8]> + Clone + Send + 'static,
) {
    loop {
        let (mut client, _) = listener.accept().await.expect("a client");
        let answer = answer.clone();
        tokio::spawn(async move {
            let mut hello = [0; 1_024];
            let _ = client.read(&mut hello).await;
            let _ = client.write_all(&CONNACK).await;
            while let Ok(kind) = client.read_u8().await {
                let len = client.read_u8().await.expect("a short packet");
                let mut rest = vec![0; len.into()];
                client.read_exact(&mut rest).await.expect("a whole packet");
                let Some(answer) = answer(kind) else { return };
                let _ = client.write_all(answer).await; // it may have been left
            }
        });
    }
}

#[tokio::test]
async fn a_broker_is_told_again_of_the_end_of_a_subscription_that_it_has_not_confirmed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("mqtt://{}", listener.local_addr().expect("bound"));
    let (ends, mut ended) = mpsc::channel(10);
    tokio::spawn(answering(listener, move |kind| match kind {
        SUBSCRIBE => Some(&SUBACK),
        UNSUBSCRIBE => {
            let _ = ends.try_send(()); // the test may have seen enough
            None
        }
        _ => Some(&[]),
    }));
    let (server, dir) = (Server::start().await, tempfile::tempdir().expect("a folder"));
    let host = host_in(&dir, &server).await;
    let of = |filter| pairs(&[("url", &*url), ("subscriptions", filter), ("keep_alive_sec", "60")]);
    let link = host.handler(of("a|"), Received::all().0).await.expect("a link");
    host.put(link, Side::Source, Constraints::new(), of("b|")).await.expect("it holds");
    for _ in 0..3 {
        timeout(PATIENCE, ended.recv()).await.expect("it is told").expect("it listens");
    }
}

#[tokio::test]
async fn a_link_does_not_hold_at_a_broker_that_ends_its_connection_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("mqtt://{}", listener.local_addr().expect("bound"));
    tokio::spawn(answering(listener, |kind| match kind {
        SUBSCRIBE => Some(&NOT_SHARED),
        _ => Some(&[]),
    }));
    let (server, dir) = (Server::start().await, tempfile::tempdir().expect("a folder"));
    let host = host_in(&dir, &server).await;
    let config = pairs(&[("url", &*url), ("subscriptions", "a|b"), ("keep_alive_sec", "60")]);
    let refused = host.handler(config, Received::all().0).await.expect_err("it is refused");
    assert!(refused.contains("SharedSubscriptionNotSupported"), "{refused}");
    let files = std::fs::read_dir(dir.path().join("sessions")).expect("a folder");
    assert_eq!(files.count(), 0, "and nothing is left of its session");
}
