//! Twice the load that saturates it.

use std::time::Duration;

use wattle_testing::{Guest, Lattice, Load};

const PEAK_TIME: Duration = Duration::from_secs(10);
const OVERLOAD_TIME: Duration = Duration::from_secs(60);

/// Calls at once, so that load beyond what they take is refused and not queued for ever.
const INSTANCES: &str = "32";
const QUEUE: &str = "32";

/// Refusing is quick, or it is no help.
const REFUSAL_MAX: Duration = Duration::from_millis(500);

/// What the host and the http-server may grow by.
const GROWTH_BYTES_MAX: u64 = 50_000_000;

/// How long each call holds its instance: long enough that instances, and not this test's own client, are what is short.
const PATH: &str = "/sleep?ms=20";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_refused_at_once_and_the_rest_goes_on() {
    let lattice = Lattice::start_alone().await;
    let limits = ["--instances", INSTANCES, "--queue", QUEUE];
    lattice.actor_with(Guest::Kit, "kit", &limits).await;
    let kit = lattice.expose("kit").await;
    let saturating = Load::new(&kit, PATH, 48).closed(PEAK_TIME).await;
    let peak = saturating.goodput(PEAK_TIME);
    println!("peak {peak:.0}/s: {saturating}");
    let provider = lattice.provider_process("http-server").await;
    let processes = [lattice.host(), provider];
    let before = processes.map(wattle_testing::Process::resident_bytes);

    let over = Load::new(&kit, PATH, 256).open(2.0 * peak, OVERLOAD_TIME).await;
    println!("twice of it: {over}");
    let goodput = over.goodput(OVERLOAD_TIME);
    assert!(goodput >= 0.9 * peak, "{goodput:.0}/s of {peak:.0}/s");
    let mut refused = 0;
    for shot in over.0.iter().filter(|shot| shot.status != Some(200)) {
        assert_eq!(shot.status, Some(503), "{over}");
        refused += 1;
        let took = shot.done - shot.at;
        assert!(took <= REFUSAL_MAX, "refused after {took:?}: {over}");
    }
    assert!(refused > 0, "nothing was refused: {over}");
    for (process, before) in processes.into_iter().zip(before) {
        let now = process.resident_bytes();
        assert!(now <= before + GROWTH_BYTES_MAX, "{before} bytes before, {now} after");
    }
}
