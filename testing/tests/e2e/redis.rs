//! Redis dies, stalls and comes back under load.

use std::time::{Duration, Instant};

use wattle_testing::{Guest, KEY_VALUE, Lattice, Load, Redis, Shots, Site};

/// The link's deadline and a little.
const ANSWER_MAX: Duration = Duration::from_secs(6);
const BACK_MAX: Duration = Duration::from_secs(1);
const PHASE: Duration = Duration::from_secs(2);

async fn counter(redis: &Redis) -> (Lattice, Site) {
    let lattice = Lattice::start_alone().await;
    lattice.provider("keyvalue-redis").await;
    lattice.actor_with(Guest::Counter, "counter", &["--deadline", "5s"]).await;
    let counter = lattice.expose("counter").await;
    let url = format!("url={}", redis.url());
    lattice.link("counter", "keyvalue-redis", KEY_VALUE, &["--target", &url]).await;
    assert_eq!(counter.get("/hits").await.status, 200);
    (lattice, counter)
}

/// Of load from before Redis was `gone` until after it began to come (`coming`), and was found to be `back`.
fn assert_typed_and_back(shots: &Shots, gone: Instant, [coming, back]: [Instant; 2], what: &str) {
    println!("{what}: {shots}");
    for shot in &shots.0 {
        let fits = matches!(shot.status, Some(200 | 500 | 502 | 503 | 504));
        assert!(fits, "{what}: {shots}");
        assert!(shot.done - shot.at <= ANSWER_MAX, "{what}: {:?}", shot.done - shot.at);
    }
    let meanwhile = shots.between(gone + Duration::from_millis(200), coming);
    let succeeded =
        meanwhile.0.iter().filter(|shot| shot.status == Some(200) && shot.done < coming);
    assert_eq!(succeeded.count(), 0, "{what}: answers without Redis: {meanwhile}");
    let after = shots.back_after(back);
    assert!(after.is_some_and(|after| after <= BACK_MAX), "{what}: back after {after:?}: {shots}");
    let later = shots.between(back + BACK_MAX, back + PHASE);
    assert_eq!(later.good().count(), later.0.len(), "{what}: {later}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_is_a_typed_error_and_a_restarted_one_serves_again() {
    let mut redis = Redis::start().await;
    let (_lattice, counter) = counter(&redis).await;
    let load = Load::new(&counter, "/hits", 16);
    let shooting = tokio::spawn(async move { load.closed(PHASE * 4).await });
    tokio::time::sleep(PHASE).await;
    let gone = Instant::now();
    redis.kill();
    tokio::time::sleep(PHASE).await;
    let coming = Instant::now();
    redis.restart().await;
    let back = Instant::now();
    let shots = shooting.await.expect("the load does not panic");
    assert_typed_and_back(&shots, gone, [coming, back], "killed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_redis_is_a_typed_error_within_the_deadline() {
    let redis = Redis::start().await;
    let (_lattice, counter) = counter(&redis).await;
    let load = Load::new(&counter, "/hits", 16);
    let shooting = tokio::spawn(async move { load.closed(PHASE * 6).await });
    tokio::time::sleep(PHASE).await;
    let gone = Instant::now();
    redis.process().freeze();
    tokio::time::sleep(PHASE * 3).await;
    redis.process().thaw();
    let back = Instant::now();
    let shots = shooting.await.expect("the load does not panic");
    assert_typed_and_back(&shots, gone, [back; 2], "stalled");
}
