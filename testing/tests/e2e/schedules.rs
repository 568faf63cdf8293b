//! What is due comes once per lattice, however many hosts run the timer, and goes on when the one that calls is killed.

use std::time::{Duration, Instant};

use wattle_testing::{Guest, Lattice, Neighbour, Site, eventually};

const TIMER: &str = "timer";
const REPORT: &str = "report";
const VALUES: &str = "keyvalue-embedded";
const OBJECTS: &str = "blobstore-fs";

/// How long what has to come may take on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two ticks, in milliseconds.
const EVERY_MS: u64 = 1_000;

/// The example's actor and the timer on three hosts; the stores are on the first. One neighbour holds the lease.
struct Scene {
    lattice: Lattice,
    holder: Neighbour,
    other: Neighbour,
    reports: Site,
}

impl Scene {
    async fn start(settings: &[&str]) -> Self {
        let lattice = Lattice::start().await;
        for provider in [VALUES, OBJECTS] {
            lattice.provider(provider).await;
        }
        let reports = lattice.serve(Guest::ScheduledReport, REPORT).await;
        lattice.link(REPORT, VALUES, "wasi:keyvalue/store,wasi:keyvalue/atomics", &[]).await;
        let blobs = "wasi:blobstore/blobstore,wasi:blobstore/container";
        lattice.link(REPORT, OBJECTS, blobs, &[]).await;
        let holder = lattice.neighbour("one").await;
        let other = lattice.neighbour("two").await;
        for host in [&holder, &other] {
            lattice.actor_on(&host.key, Guest::ScheduledReport, REPORT, &[]).await;
        }
        lattice.provider_on(&holder.key, TIMER).await;
        let settings = ["every=1s"].iter().chain(settings).flat_map(|set| ["--source", set]);
        let when: Vec<&str> = ["--host", &holder.key].into_iter().chain(settings).collect();
        lattice.link(TIMER, REPORT, "wattle:schedule/handler", &when).await;
        let scene = Self { lattice, holder, other, reports };
        scene.reports_of(1).await;
        scene.lattice.provider_on(&scene.other.key, TIMER).await;
        scene.lattice.provider(TIMER).await;
        scene
    }

    /// When each report that there is was due, in order.
    async fn due(&self) -> Vec<u64> {
        let text = self.reports.get("/all").await.text();
        let mut due: Vec<u64> = text.lines().map(|line| line.parse().expect("a time")).collect();
        due.sort_unstable();
        due
    }

    /// Waits until there are so many reports.
    async fn reports_of(&self, count: usize) -> Vec<u64> {
        eventually(&format!("{count} reports"), PATIENCE, async || {
            let due = self.due().await;
            (due.len() >= count).then_some(due)
        })
        .await
    }

    /// How many were begun, and how many of them there are, at a moment between two.
    async fn begun_and_there(&self) -> (usize, usize) {
        eventually("a moment between two reports", PATIENCE, async || {
            let before = self.due().await;
            let latest = self.reports.get("/").await.text();
            let number = latest.strip_prefix("report ")?.split(',').next()?.parse().ok()?;
            // The last one is the last that there is, whole.
            let whole = latest.contains(&format!("due {},", before.last()?));
            (whole && self.due().await == before).then_some((number, before.len()))
        })
        .await
    }
}

/// Steps between what is due that are longer than they should be.
fn holes(due: &[u64]) -> Vec<u64> {
    let steps = due.windows(2).map(|pair| pair[1] - pair[0]);
    steps.filter(|step| *step != EVERY_MS).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hosts_that_run_a_timer_write_each_report_once() {
    let scene = Scene::start(&["missed=latest"]).await;
    assert_eq!(scene.reports.post("/tea", b"").await.status, 202);
    let due = scene.reports_of(10).await;
    let (begun, there) = scene.begun_and_there().await;
    println!("{begun} reports were begun, {there} are there; holes of {:?} ms", holes(&due));
    assert_eq!(begun, there, "none was written twice, none is missing");
    assert!(due.iter().all(|due| due % EVERY_MS == 0), "{due:?}");
    assert!(scene.reports.get("/").await.text().contains("1 tea"));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_host_that_calls_is_killed_another_goes_on_and_makes_up_for_what_was_missed() {
    let scene = Scene::start(&["missed=all"]).await;
    let before = scene.reports_of(3).await.len();
    scene.holder.process().kill();
    let killed = Instant::now();
    scene.reports_of(before + 2).await;
    println!("another host went on {:?} after the kill", killed.elapsed());
    // At least as many as an outage has seconds, and some after it.
    let due = scene.reports_of(before + 12).await;
    let (begun, there) = scene.begun_and_there().await;
    println!("{begun} reports were begun, {there} are there; holes of {:?} ms", holes(&due));
    // The one that was under way is lost: nobody knows how far it had come.
    assert!(begun >= there && begun - there <= 1, "{begun} begun, {there} there");
    let holes = holes(&due);
    assert!(holes.is_empty() || holes == [2 * EVERY_MS], "{holes:?} {}", scene.other.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_stopped_lays_its_lease_down_and_the_next_goes_on_at_once() {
    let mut scene = Scene::start(&["missed=all"]).await;
    let before = scene.reports_of(3).await.len();
    let stopped = Instant::now();
    scene.holder.process().terminate();
    scene.holder.ended().await;
    let ended = stopped.elapsed();
    let due = scene.reports_of(before + 5).await;
    println!(
        "the host ended after {ended:?}, five reports came {:?} after the stop",
        stopped.elapsed()
    );
    assert_eq!(holes(&due), [0_u64; 0], "nothing was under way that could be lost");
    let (begun, there) = scene.begun_and_there().await;
    assert_eq!(begun, there);
    assert!(!scene.holder.log().contains("they expire by themselves"), "{}", scene.holder.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_nobody_calls_and_then_one_host_makes_up_for_it() {
    // The actor's own stores are away as well: what was under way fails, is tried again, and must not keep the others from coming.
    let settings = ["missed=all", "overlap=queue", "backoff_ms=200", "timeout_ms=3000"];
    let scene = Scene::start(&settings).await;
    let before = scene.reports_of(3).await.len();
    scene.lattice.nats_server().freeze();
    // Longer than a lease is held without being renewed.
    tokio::time::sleep(Duration::from_secs(8)).await;
    scene.lattice.nats_server().thaw();
    let thawed = Instant::now();
    let due = scene.reports_of(before + 14).await;
    let (begun, there) = scene.begun_and_there().await;
    let (holes, back) = (holes(&due), thawed.elapsed());
    println!(
        "{begun} begun, {there} there {back:?} after the store was back; holes of {holes:?} ms"
    );
    // What was under way when it went, nobody knows; everything else came, and came once, but for that one's attempts.
    assert!(begun >= there && begun - there <= 4, "{begun} begun, {there} there");
    assert!(holes.is_empty() || holes == [2 * EVERY_MS], "{holes:?} {}", scene.other.log());
}
