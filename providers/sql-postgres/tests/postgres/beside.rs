//! What the trouble of one link costs another on the same provider.

use std::time::{Duration, Instant};

/// Windows of each kind, taken in turn, at least.
const WINDOWS_MIN: usize = 5;

/// And at most: so many where the machine has much to do besides.
const WINDOWS_MAX: usize = 30;

/// Calls of a window, one after the other.
const CALLS: usize = 300;

/// Times two: what is promised.
const FACTOR: u32 = 2;

/// Beside that, what chance adds to a few wake-ups. It is less than waiting once for the kernel to end another thread's slice.
const NOISE: Duration = Duration::from_micros(200);

/// Asserts that a call is hardly slower while another link is in trouble, which lasts as long as what `trouble` gives.
///
/// Of each kind's windows the best counts: what a machine has to do besides only adds, while what the other link costs is in all.
pub(crate) async fn assert_not_slowed<T>(call: impl AsyncFn(), trouble: impl AsyncFn() -> T) {
    let (mut alone, mut beside) = (Duration::MAX, Duration::MAX);
    for window in 1..=WINDOWS_MAX {
        alone = alone.min(p99(&call).await);
        let lasting = trouble().await;
        beside = beside.min(p99(&call).await);
        drop(lasting);
        if window >= WINDOWS_MIN && beside <= alone * FACTOR + NOISE {
            return println!("p99: {alone:?} alone, {beside:?} beside a link in trouble");
        }
    }
    panic!("p99: {alone:?} alone, {beside:?} beside a link in trouble");
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
