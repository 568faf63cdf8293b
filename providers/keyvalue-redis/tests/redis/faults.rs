//! Redis dies a hundred times under load, and one that hangs has a neighbour.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use wattle_core::{Constraints, ErrorKind, link::Settings};
use wattle_keyvalue::{Caller, Failure};
use wattle_sdk::test_host::{Link, TestHost};

use crate::{link, server::Server, start};

/// How soon a Redis that is back must serve.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// Between two calls of one who loads a store.
const PACE: Duration = Duration::from_millis(2);

async fn store(host: &TestHost, server: &Server) -> Caller<Link> {
    let config = Settings::from([("url".to_owned(), server.url())]);
    link(host, Constraints::new(), config).await
}

/// One key, and what is known of it.
#[derive(Default)]
struct Counter {
    acknowledged: AtomicU64,
    failed: AtomicU64,
}

/// Counts until it is told to stop.
async fn count(
    store: Arc<Caller<Link>>,
    key: String,
    counter: Arc<Counter>,
    stop: Arc<AtomicBool>,
) {
    while !stop.load(Ordering::Relaxed) {
        match store.increment("default", &key, 1).await {
            Ok(sum) => counter.acknowledged.store(sum, Ordering::Relaxed),
            Err(Failure::Call(error)) if error.kind == ErrorKind::Failed => {
                counter.failed.fetch_add(1, Ordering::Relaxed);
                sleep(PACE).await;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_deaths_under_load_lose_no_acknowledged_write_and_leak_nothing() {
    const ROUNDS: usize = 100;
    const WRITERS: usize = 8;
    let mut server = Server::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let host = start().await;
    let store = Arc::new(store(&host, &server).await);
    let stop = Arc::new(AtomicBool::new(false));
    let counters: Vec<Arc<Counter>> = (0..WRITERS).map(|_| Arc::default()).collect();
    let mut writers = JoinSet::new();
    for (n, counter) in counters.iter().enumerate() {
        let (store, counter, stop) = (Arc::clone(&store), Arc::clone(counter), Arc::clone(&stop));
        writers.spawn(count(store, format!("n-{n}"), counter, stop));
    }
    let acknowledged =
        || counters.iter().map(|counter| counter.acknowledged.load(Ordering::Relaxed)).collect();
    let more_than = async |before: &[u64]| {
        let more = async {
            loop {
                let now: Vec<u64> = acknowledged();
                if now.iter().zip(before).all(|(now, before)| now > before) {
                    return;
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(60), more).await.expect("everyone writes again");
    };
    more_than(&[0; WRITERS]).await;
    let open = host.open_files();
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    for _ in 0..ROUNDS {
        server.kill();
        let before: Vec<u64> = acknowledged();
        server.restart();
        let back = Instant::now();
        more_than(&before).await;
        slowest = slowest.max(back.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = writers.join_next().await {
        ended.expect("each failure was typed");
    }
    let failed: u64 = counters.iter().map(|counter| counter.failed.load(Ordering::Relaxed)).sum();
    let writes: u64 = acknowledged().iter().sum();
    println!(
        "{ROUNDS} deaths in {:?}: {writes} writes, {failed} typed failures, everyone wrote again at most {slowest:?} after",
        began.elapsed()
    );
    assert!(failed >= ROUNDS as u64 && slowest <= BACK_WITHIN, "{failed}, {slowest:?}");
    for (n, counter) in counters.iter().enumerate() {
        let kept = store.increment("default", &format!("n-{n}"), 0).await.expect("it is up");
        let acknowledged = counter.acknowledged.load(Ordering::Relaxed);
        let unknown = counter.failed.load(Ordering::Relaxed);
        assert!((acknowledged..=acknowledged + unknown).contains(&kept), "{kept}: {acknowledged}");
    }
    let now = host.open_files();
    assert!(now <= open, "{now} open files and sockets, {open} before");
}

/// Latencies of one link, in the windows in which another link's Redis hung and in those in which it did not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_does_not_slow_down_a_link_to_another() {
    const WINDOWS: usize = 12;
    const WINDOW: Duration = Duration::from_millis(1_500);
    let (hanging, other) = (Server::start(), Server::start());
    let host = start().await;
    let (slow, fast) = (store(&host, &hanging).await, store(&host, &other).await);
    let (slow, fast) = (Arc::new(slow), Arc::new(fast));
    let mut load = JoinSet::new();
    for n in 0..16 {
        let slow = Arc::clone(&slow);
        load.spawn(async move {
            loop {
                let _ = slow.increment("default", &format!("n-{n}"), 1).await; // it hangs half of the time
                sleep(PACE).await;
            }
        });
    }
    let mut latencies = [Vec::new(), Vec::new()];
    for window in 0..WINDOWS {
        let hangs = window % 2 == 1;
        if hangs {
            hanging.freeze()
        } else {
            hanging.thaw()
        }
        let end = Instant::now() + WINDOW;
        while Instant::now() < end {
            let asked = Instant::now();
            fast.increment("default", "n", 1).await.expect("its own Redis is up");
            latencies[usize::from(hangs)].push(asked.elapsed());
            sleep(PACE / 2).await;
        }
    }
    hanging.thaw();
    load.abort_all();
    let [runs, hangs] = latencies.map(|mut all| {
        all.sort();
        (all.len(), all[all.len() / 2], all[all.len() * 99 / 100])
    });
    println!("calls, median, p99 while the other's Redis runs: {runs:?}; hangs: {hangs:?}");
    // A machine's own hiccups are no matter of links: below a millisecond nothing is slow.
    let most = (runs.2 * 2).max(Duration::from_millis(1));
    assert!(hangs.2 <= most, "p99 {:?}, {:?} while it runs", hangs.2, runs.2);
}
