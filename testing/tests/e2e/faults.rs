//! Processes that die or hang under load.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use wattle_testing::{Guest, KEY_VALUE, Lattice, Load, Process, Redis, Shots, Site, eventually};

const BACK_AFTER_KILL: Duration = Duration::from_secs(1);
const BACK_AFTER_FREEZE: Duration = Duration::from_secs(3);

/// Load before a fault, and behind it.
const BEFORE: Duration = Duration::from_secs(1);
const BEHIND: Duration = Duration::from_secs(5);
const CONNECTIONS: usize = 16;

/// Load on `path`, in the middle of which `fault` happens; and when it happened.
async fn under_load(site: &Site, path: &str, fault: impl FnOnce()) -> (Shots, Instant) {
    let load = Load::new(site, path, CONNECTIONS);
    let shooting = tokio::spawn(async move { load.closed(BEFORE + BEHIND).await });
    tokio::time::sleep(BEFORE).await;
    let at = Instant::now();
    fault();
    (shooting.await.expect("the load does not panic"), at)
}

fn assert_back(shots: &Shots, fault: Instant, within: Duration, what: &str) {
    let back = shots.back_after(fault);
    println!("{what}: back after {back:?}: {shots}");
    assert!(back.is_some_and(|back| back <= within), "{what}: back after {back:?}: {shots}");
    let later = shots.between(fault + within, fault + BEHIND);
    let failed = later.0.iter().filter(|shot| shot.status != Some(200)).count();
    assert_eq!(failed, 0, "{what}: requests fail {within:?} behind it: {later}");
}

/// Failures other than resets of connections: http-server's own clients see those.
fn assert_typed(shots: &Shots, statuses: &[u16], what: &str) {
    for shot in &shots.0 {
        let fits = shot.status.is_some_and(|status| status == 200 || statuses.contains(&status));
        assert!(fits, "{what}: {shots}");
    }
}

async fn counter(store: &str, settings: &[&str]) -> (Lattice, Site) {
    let lattice = Lattice::start_alone().await;
    lattice.provider(store).await;
    let counter = lattice.serve(Guest::Counter, "counter").await;
    lattice.link("counter", store, KEY_VALUE, settings).await;
    assert_eq!(counter.get("/hits").await.status, 200);
    (lattice, counter)
}

/// Kills and freezes the store under load.
async fn store_dies_and_hangs(store: &str, settings: &[&str]) {
    let (lattice, counter) = counter(store, settings).await;
    let process = lattice.provider_process(store).await;
    let (shots, at) = under_load(&counter, "/hits", || process.kill()).await;
    assert_back(&shots, at, BACK_AFTER_KILL, "kill");
    assert_typed(&shots, &[500, 502, 503, 504], "kill");
    let process = lattice.provider_process(store).await;
    let (shots, at) = under_load(&counter, "/hits", || process.freeze()).await;
    assert_back(&shots, at, BACK_AFTER_FREEZE, "freeze");
    assert_typed(&shots, &[500, 502, 503, 504], "freeze");
    assert!(!process.is_alive());
    let status = lattice.provider_status(store).await;
    assert_eq!(status["restarts"], 2, "{status}");
    assert!(status["last-exit"].is_string(), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keyvalue_embedded_is_back_after_it_was_killed_and_frozen() {
    store_dies_and_hangs("keyvalue-embedded", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keyvalue_redis_is_back_after_it_was_killed_and_frozen() {
    let redis = Redis::start().await;
    let url = format!("url={}", redis.url());
    store_dies_and_hangs("keyvalue-redis", &["--target", &url]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_server_is_back_after_it_was_killed_and_frozen() {
    let lattice = Lattice::start_alone().await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    let process = lattice.provider_process("http-server").await;
    let (shots, at) = under_load(&hello, "/", || process.kill()).await;
    assert_back(&shots, at, BACK_AFTER_KILL, "kill");
    let process = lattice.provider_process("http-server").await;
    let (shots, at) = under_load(&hello, "/", || process.freeze()).await;
    assert_back(&shots, at, BACK_AFTER_FREEZE, "freeze");
    let status = lattice.provider_status("http-server").await;
    assert_eq!(status["restarts"], 2, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_exits_at_once_is_a_crash_loop_with_its_last_words() {
    let lattice = Lattice::start().await;
    // It is no provider: without arguments it says so on stderr and exits.
    let said = lattice.start_as_provider("wattle-twin", "doomed").await;
    said.code(1).naming(&["required arguments"]);

    let stderr = eventually("doomed is in a crash loop", Duration::from_secs(20), async || {
        let status = lattice.provider_status("doomed").await;
        status["state"].get("crash-loop").map(|state| state["stderr"].to_string())
    });
    assert!(stderr.await.contains("required arguments"));
    lattice.wattle(&["stop", "provider", "doomed"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_host_leaves_no_provider_and_serves_again_what_ran_before() {
    let (lattice, counter) = counter("keyvalue-embedded", &[]).await;
    let mut providers = Vec::new();
    for id in ["http-server", "keyvalue-embedded"] {
        providers.push(lattice.provider_process(id).await);
    }
    let load = Load::new(&counter, "/hits", CONNECTIONS);
    let shooting = tokio::spawn(async move { load.closed(BEFORE * 2).await });
    tokio::time::sleep(BEFORE).await;
    let host = lattice.host();
    host.kill();
    for process in providers {
        process.gone(Duration::from_secs(1)).await;
    }
    let shots = shooting.await.expect("the load does not panic");
    let counted = shots.good().count() as u64;

    lattice.up(&[]).await;
    assert_ne!(lattice.host(), host);
    let response = eventually("the counter answers again", Duration::from_secs(10), async || {
        counter.try_get("/hits").await.ok().filter(|response| response.status == 200)
    })
    .await;
    let text = response.text();
    let number = text.trim().trim_start_matches(r#"{"counter":"#).trim_end_matches('}');
    let number: u64 = number.parse().unwrap_or_else(|_| panic!("not a count: {text}"));
    assert!(number > counted, "{counted} were acknowledged, and the count is {number}");
    let status = lattice.actor_status("counter").await;
    assert_eq!(status["compiled-from-cache"], true, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_host_finishes_what_is_under_way() {
    let lattice = Lattice::start().await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    let mut client = kit.connect().await;
    client.send_head("GET", "/sleep?ms=1500", &[], 0).await.expect("sent");
    eventually("the call is under way", Duration::from_secs(5), async || {
        (lattice.actor_status("kit").await["in-flight"] == 1).then_some(())
    })
    .await;
    let host: Process = lattice.host();
    host.terminate();
    assert_eq!(client.head().await.expect("the call was finished").status, 200);
    host.gone(Duration::from_secs(5)).await;
}

/// A disk that takes nothing for a while: nothing is said to be done that would not be so after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_down_is_not_said_to_be_done() {
    let lattice = Lattice::start().await;
    lattice.provider("keyvalue-embedded").await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    let file = running_file(&lattice.project()).expect("the host writes down what runs");
    std::fs::rename(&file, file.with_extension("aside")).expect("it is ours");
    std::fs::create_dir(&file).expect("nothing is there");
    let stops = [["stop", "actor", "hello"], ["stop", "provider", "keyvalue-embedded"]];
    for stop in stops {
        for _ in 0..2 {
            lattice.wattle(&stop).await.code(1).naming(&["disk"]);
        }
    }
    assert_ne!(hello.get("/").await.status, 200, "it runs no more, all the same");
    std::fs::remove_dir(&file).expect("it is empty");
    for stop in stops {
        lattice.wattle(&stop).await.ok();
    }
    lattice.wattle(&["down"]).await.ok();
    lattice.up(&[]).await;
    let said = lattice.wattle(&["get", "inventory"]).await.ok();
    assert!(!said.mentions("hello") && !said.mentions("keyvalue-embedded"), "{said}");
}

/// The file in which a host keeps what it runs.
fn running_file(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.find_map(|path| match path.is_dir() {
        true => running_file(&path),
        false => path.ends_with("state/running").then_some(path),
    })
}
