//! What a host costs that has nothing to do, among many.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use wattle_testing::{Lattice, Process, eventually};

const HOSTS: usize = 100;
const STARTED_AT_ONCE: usize = 4;
const MEASURED: Duration = Duration::from_secs(15);
/// Each host's share of a core, and its memory, at most.
const CPU_MAX: f64 = 0.01;
const RESIDENT_MAX: u64 = 40_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_idle_hosts_cost_next_to_nothing() {
    let lattice = Lattice::start_alone().await;
    let starting =
        (1..HOSTS).map(async |number| lattice.neighbour(&format!("host-{number}")).await);
    let neighbours: Vec<_> =
        stream::iter(starting).buffer_unordered(STARTED_AT_ONCE).collect().await;
    eventually("all are heard", Duration::from_secs(20), async || {
        let hosts = lattice.ask(&["get", "hosts"]).await;
        (hosts.as_array().map(Vec::len) == Some(HOSTS)).then_some(())
    })
    .await;
    let processes: Vec<Process> = std::iter::once(lattice.host())
        .chain(neighbours.iter().map(|neighbour| neighbour.process()))
        .collect();
    tokio::time::sleep(Duration::from_secs(5)).await; // what came with the last of them is done
    let cpu = || processes.iter().map(|process| process.cpu().expect("it runs"));
    let before: Vec<Duration> = cpu().collect();
    tokio::time::sleep(MEASURED).await;
    let shares: Vec<f64> = cpu()
        .zip(before)
        .map(|(after, before)| (after - before).as_secs_f64() / MEASURED.as_secs_f64())
        .collect();
    let mean = shares.iter().sum::<f64>() / HOSTS as f64;
    let most = processes.iter().map(|process| process.resident_bytes()).max().expect("some");
    println!(
        "{HOSTS} hosts: {:.2} % of a core each, at most {} MB",
        100.0 * mean,
        most / 1_000_000
    );
    assert!(mean < CPU_MAX, "{mean}: {shares:?}");
    assert!(most < RESIDENT_MAX, "{most} bytes");
}
