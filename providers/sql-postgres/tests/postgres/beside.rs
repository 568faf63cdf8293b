//! What the trouble of one link costs another on the same provider.

use std::time::{Duration, Instant};

/// Windows of each kind, taken in turn.
const WINDOWS: usize = 5;

/// Calls of a window, one after the other.
const CALLS: usize = 300;

/// Times two: what is promised.
const FACTOR: u32 = 2;

/// Beside that, what a busy machine adds to any window; a call that waits for the other link takes seconds.
const NOISE: Duration = Duration::from_millis(2);

/// Asserts that a call is hardly slower while another link is in trouble, which lasts as long as what `trouble` gives.
///
/// Of each kind's windows the best counts: what a machine has to do besides only adds, while what the other link costs is in all.
pub(crate) async fn assert_not_slowed<T>(call: impl AsyncFn(), trouble: impl AsyncFn() -> T) {
    let (mut alone, mut beside) = (Duration::MAX, Duration::MAX);
    for _ in 0..WINDOWS {
        alone = alone.min(p99(&call).await);
        let lasting = trouble().await;
        beside = beside.min(p99(&call).await);
        drop(lasting);
    }
    println!("p99: {alone:?} alone, {beside:?} beside a link in trouble");
    assert!(beside <= alone * FACTOR + NOISE, "{alone:?} alone, {beside:?} beside");
}

/// How long 99 of a hundred calls take at most.
async fn p99(call: &impl AsyncFn()) -> Duration {
    let mut took = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        call().await;
        took.push(began.elapsed());
    }
    took.sort();
    took[CALLS * 99 / 100]
}
