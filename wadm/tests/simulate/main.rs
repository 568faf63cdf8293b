//! The planner and the reconcile loop against a world that misbehaves, thousands of times, each time from one number.
//!
//! `cargo xtask simulate --seeds N` runs so many worlds, `cargo xtask simulate --seed S` the one that failed.

mod applications;
mod faults;
mod hosts;
mod leaders;
mod run;
mod world;

use std::{
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

/// Worlds unless told: what a run of all tests has time for.
const SEEDS_DEFAULT: u64 = 10_000;

#[test]
fn whatever_happens_everything_comes_to_be_as_declared() {
    let number = |name: &str| -> Option<u64> {
        let text = std::env::var(name).ok()?;
        Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
    };
    if let Some(seed) = number("WATTLE_SIMULATE_SEED") {
        println!("seed {seed}: {:?}", run::one(seed));
        return;
    }
    let seeds = number("WATTLE_SIMULATE_SEEDS").unwrap_or(SEEDS_DEFAULT);
    let started = Instant::now();
    let (next, sum) = (AtomicU64::new(0), Mutex::new(run::Tally::default()));
    let failed = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds || !failed.lock().expect("no panic within").is_empty() {
                return;
            }
            // The panic's own message is on stderr by then.
            match catch_unwind(AssertUnwindSafe(|| run::one(seed))) {
                Ok(tally) => *sum.lock().expect("no panic within") += tally,
                Err(_) => failed.lock().expect("no panic within").push(seed),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().expect("no panic within");
    if let Some(seed) = failed.first() {
        panic!("seed {seed} failed: cargo xtask simulate --seed {seed}");
    }
    let sum = sum.into_inner().expect("no panic within");
    println!("{seeds} worlds in {:?}: {sum:?}", started.elapsed());
    assert!(sum.is_of_everything(seeds), "some kind of fault hardly ever happened: {sum:?}");
}
