//! Hosts that cannot hear each other for a while: every call is answered or fails typed in time, none runs twice, and all heals.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet};
use wattle_testing::{Guest, HTTP, KEY_VALUE, Lattice, Line, Neighbour, Proxy, Site, free_port};

/// The deadline of each call, and how much later its answer may be seen.
const DEADLINE: Duration = Duration::from_secs(3);
const MARGIN: Duration = Duration::from_millis(700);
/// Calls pass again so soon after the line is back.
const HEALED: Duration = Duration::from_secs(5);
const CLIENTS: usize = 8;
const GOOD_ASKED_AGAIN: usize = 500;

/// One call: which, when, how long, and what came of it.
struct Call {
    id: u64,
    at: Instant,
    took: Duration,
    status: Option<u16>,
    text: String,
}

/// A counter on two hosts with lines of their own; its store and its http-server are on the first.
struct Scene {
    lattice: Lattice,
    counter: Site,
    lines: [Proxy; 2],
    _hosts: [Neighbour; 2],
}

impl Scene {
    async fn new() -> Self {
        let lattice = Lattice::start_alone().await;
        let nats = lattice.nats_address();
        let lines = [Proxy::start(&nats).await, Proxy::start(&nats).await];
        let second = lattice.neighbour_behind("second", &lines[0]).await;
        let third = lattice.neighbour_behind("third", &lines[1]).await;
        for host in ["second", "third"] {
            lattice.actor_on(host, Guest::Counter, "counter", &["--deadline", "3s"]).await;
        }
        lattice.provider("keyvalue-embedded").await;
        lattice.provider("http-server").await;
        lattice.link("counter", "keyvalue-embedded", KEY_VALUE, &[]).await;
        let address = format!("127.0.0.1:{}", free_port());
        let at = format!("address={address}");
        let settings = ["--source", &at, "--source", "timeout_ms=3000"];
        lattice.link("http-server", "counter", HTTP, &settings).await;
        let counter = Site { address };
        assert_eq!(counter.get("/first").await.status, 200);
        Self { lattice, counter, lines, _hosts: [second, third] }
    }

    /// Calls, each with a key of its own, until `done`.
    fn calls(&self, done: watch::Receiver<bool>) -> JoinSet<Vec<Call>> {
        let ids = Arc::new(AtomicU64::new(0));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (site, ids, done) = (self.counter.clone(), Arc::clone(&ids), done.clone());
            clients.spawn(async move {
                let mut calls = Vec::new();
                while !*done.borrow() {
                    calls.push(call(&site, ids.fetch_add(1, Relaxed)).await);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                calls
            });
        }
        clients
    }

    /// What every call promises, whatever happened to the lines.
    async fn assert_kept(&self, calls: &[Call]) {
        for Call { id, took, status, text, .. } in calls {
            assert!(*took < DEADLINE + MARGIN, "call {id} took {took:?}");
            match status {
                Some(200) => assert_eq!(text.trim(), r#"{"counter":1}"#, "call {id}"),
                Some(500 | 502 | 503 | 504) => {}
                other => panic!("call {id}: {other:?}: {text}"),
            }
        }
        // Once more: one that failed may have run, and none has run twice. Of those that succeeded their answers said so, and
        // some are asked again whether they were kept.
        let good = calls.iter().filter(|call| call.status == Some(200));
        let failed = calls.iter().filter(|call| call.status != Some(200));
        let each = good.clone().count().div_ceil(GOOD_ASKED_AGAIN).max(1);
        for Call { id, status, .. } in failed.chain(good.step_by(each)) {
            let again = call(&self.counter, *id).await;
            let ran = again.text.trim().trim_start_matches(r#"{"counter":"#).trim_end_matches('}');
            let most = ran.parse::<u64>().unwrap_or_else(|_| panic!("{:?}", again.text)) - 1;
            assert!(most <= 1, "call {id} ({status:?}) ran {most} times");
            assert!(most == 1 || *status != Some(200), "call {id} is lost");
        }
    }

    fn set(&self, line: Line) {
        self.lines.iter().for_each(|proxy| proxy.set(line));
    }
}

async fn call(site: &Site, id: u64) -> Call {
    let at = Instant::now();
    let response = site.try_get(&format!("/call-{id}")).await;
    let (status, text) = match &response {
        Ok(response) => (Some(response.status), response.text()),
        Err(error) => (None, error.to_string()),
    };
    Call { id, at, took: at.elapsed(), status, text }
}

fn assert_healed(calls: &[Call], healed: Instant) {
    let later: Vec<&Call> = calls.iter().filter(|call| call.at > healed + HEALED).collect();
    let failed = later.iter().filter(|call| call.status != Some(200)).count();
    assert!(later.len() > 100, "{} calls", later.len());
    assert_eq!(failed, 0, "of {} calls after it healed", later.len());
}

/// Calls while `fault` happens, and for a while behind it.
async fn through(scene: &Scene, fault: impl Future<Output = ()>) -> (Vec<Call>, Instant) {
    let (done, is_done) = watch::channel(false);
    let calls = scene.calls(is_done);
    tokio::time::sleep(Duration::from_secs(1)).await;
    fault.await;
    scene.set(Line::Open);
    let healed = Instant::now();
    tokio::time::sleep(HEALED + Duration::from_secs(2)).await;
    done.send_replace(true);
    (calls.join_all().await.into_iter().flatten().collect(), healed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_behind_a_dead_line_costs_little_and_comes_back() {
    let scene = Scene::new().await;
    let (calls, healed) = through(&scene, async {
        scene.lines[0].set(Line::Dead);
        tokio::time::sleep(Duration::from_secs(30)).await;
    })
    .await;
    scene.assert_kept(&calls).await;
    assert_healed(&calls, healed);
    // The other host went on: once the first was known to be away, nothing failed.
    let cut = healed - Duration::from_secs(30);
    let between = |call: &&Call| call.at > cut + DEADLINE && call.at < healed;
    let meanwhile: Vec<&Call> = calls.iter().filter(between).collect();
    let good = meanwhile.iter().filter(|call| call.status == Some(200)).count();
    println!("{good} of {} calls beside the dead line", meanwhile.len());
    assert!(good * 100 >= meanwhile.len() * 95, "{good} of {}", meanwhile.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_lines_dead_at_once_fail_calls_typed_and_heal() {
    let scene = Scene::new().await;
    let (calls, healed) = through(&scene, async {
        scene.set(Line::Dead);
        tokio::time::sleep(Duration::from_secs(12)).await;
    })
    .await;
    scene.assert_kept(&calls).await;
    assert_healed(&calls, healed);
    assert!(scene.lattice.host().is_alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_flap_and_lines_that_are_slow_lose_no_call_twice() {
    let scene = Scene::new().await;
    let (calls, healed) = through(&scene, async {
        for turn in 0..20 {
            scene.lines[turn % 2].set(if turn % 3 == 0 { Line::Dead } else { Line::Cut });
            tokio::time::sleep(Duration::from_millis(150)).await;
            scene.lines[turn % 2].set(Line::Open);
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        scene.set(Line::Slow(Duration::from_millis(50)));
        tokio::time::sleep(Duration::from_secs(3)).await;
    })
    .await;
    scene.assert_kept(&calls).await;
    assert_healed(&calls, healed);
}
