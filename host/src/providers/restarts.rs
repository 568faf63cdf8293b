//! When a provider that ended is started again. Pure: the supervisor tells it what happened, and when.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Before the second start in a row; doubled for each further one. The first comes at once.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);

/// No pause is longer.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// So many failures within [`LOOP_WINDOW`] are a crash loop.
const LOOP_FAILURES: usize = 5;

/// See [`LOOP_FAILURES`].
const LOOP_WINDOW: Duration = Duration::from_secs(30);

/// A provider that served for so long is healthy again: its failures are forgotten.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);

/// A provider's failures so far.
#[derive(Debug)]
pub(super) struct Restarts {
    steady_after: Duration,
    failures: u32,
    recent: VecDeque<Instant>,
    looping: bool,
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// How long it had served; `None` if it never was ready.
    pub(super) served: Option<Duration>,
    /// Whether somebody killed or froze it, rather than that it ended by itself.
    pub(super) from_outside: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    /// Until the next start.
    pub(super) lasts: Duration,
    /// How often in a row it failed.
    pub(super) failures: u32,
    /// Whether it keeps failing.
    pub(super) is_loop: bool,
}

impl Restarts {
    /// No failures. Whoever kills a provider that served for `steady_after` says nothing about its health.
    pub(super) fn new(steady_after: Duration) -> Self {
        Self { steady_after, failures: 0, recent: VecDeque::new(), looping: false }
    }

    /// Notes that the process ended, and says when to start the next.
    pub(super) fn ended(&mut self, ended: Ended, now: Instant) -> Pause {
        if ended.served.is_some_and(|served| served >= HEALTHY_AFTER) {
            *self = Self::new(self.steady_after);
        }
        let steady = ended.served.is_some_and(|served| served >= self.steady_after);
        if !(ended.from_outside && steady) {
            self.failed(now);
        }
        let lasts = if self.looping { BACKOFF_MAX } else { backoff(self.failures) };
        Pause { lasts, failures: self.in_a_row(), is_loop: self.looping }
    }

    /// How often in a row it failed, what just happened included.
    pub(super) fn in_a_row(&self) -> u32 {
        self.failures.max(1)
    }

    fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.recent.push_back(now);
        self.recent.retain(|then| now.duration_since(*then) <= LOOP_WINDOW);
        self.looping |= self.recent.len() >= LOOP_FAILURES;
    }
}

fn backoff(failures: u32) -> Duration {
    match failures {
        0 | 1 => Duration::ZERO,
        _ => BACKOFF_FIRST.saturating_mul(1 << (failures - 2).min(16)).min(BACKOFF_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEADY_AFTER: Duration = Duration::from_secs(1);
    const CRASH: Ended = Ended { served: None, from_outside: false };

    fn pauses(restarts: &mut Restarts, ended: Ended, every: Duration, count: u32) -> Vec<Pause> {
        let start = Instant::now();
        (0..count).map(|number| restarts.ended(ended, start + every * number)).collect()
    }

    #[test]
    fn the_first_restart_is_immediate_and_each_further_one_waits_twice_as_long() {
        let pauses = pauses(&mut Restarts::new(STEADY_AFTER), CRASH, Duration::from_secs(20), 12);
        let waits: Vec<u128> = pauses.iter().map(|pause| pause.lasts.as_millis()).collect();
        assert_eq!(waits, [0, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
        assert!(pauses.iter().all(|pause| !pause.is_loop), "two in 30 s are no loop");
    }

    #[test]
    fn five_failures_within_half_a_minute_are_a_crash_loop_until_it_is_healthy() {
        let mut restarts = Restarts::new(STEADY_AFTER);
        let fast = pauses(&mut restarts, CRASH, Duration::from_secs(1), 5);
        assert_eq!(fast[4], Pause { lasts: BACKOFF_MAX, failures: 5, is_loop: true });
        assert!(!fast[3].is_loop);
        let later = Instant::now() + Duration::from_secs(3_600);
        let short = Ended { served: Some(Duration::from_secs(9)), from_outside: false };
        assert!(restarts.ended(short, later).is_loop, "it did not last");
        let healthy = Ended { served: Some(HEALTHY_AFTER), from_outside: false };
        let pause = restarts.ended(healthy, later);
        assert_eq!(pause, Pause { lasts: Duration::ZERO, failures: 1, is_loop: false });
    }

    #[test]
    fn killing_a_steady_provider_again_and_again_never_delays_its_restart() {
        let killed = Ended { served: Some(STEADY_AFTER), from_outside: true };
        let pauses =
            pauses(&mut Restarts::new(STEADY_AFTER), killed, Duration::from_secs(1), 1_000);
        assert!(pauses.iter().all(|pause| pause.lasts.is_zero() && !pause.is_loop));
    }

    #[test]
    fn what_ends_itself_by_a_signal_at_once_is_a_crash_loop_too() {
        let suicide = Ended { served: Some(Duration::ZERO), from_outside: true };
        let pauses = pauses(&mut Restarts::new(STEADY_AFTER), suicide, Duration::from_secs(1), 5);
        assert!(pauses[4].is_loop);
    }
}
