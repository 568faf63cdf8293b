//! Whether a process still answers: frozen processes keep their sockets open and say nothing.

use std::{pin::pin, time::Duration};

use futures::future::{Either, select, select_all};
use tokio::time::{Instant, sleep};
use wattle_wire::{Connection, PingError};

/// A ping that went unanswered says nothing when this host itself stood still: its timer then rings late by more than this.
const LATE: Duration = Duration::from_millis(250);

/// So often in a row the host may stand still and ping again; then the provider's silence counts.
const LATE_TIMES_MAX: u32 = 3;

/// A lane other than the first may be silent longer by this factor: it answers when what runs on it lets it.
const OTHER_LANES_FACTOR: u32 = 4;

/// Pings every connection, and returns when one did not answer for too long: for how long it was asked.
pub(super) async fn until_one_is_frozen(
    connections: Vec<Connection>,
    every: Duration,
    silence_max: Duration,
) -> Duration {
    let mut connections = connections.into_iter();
    let first = connections.next().expect("a provider has at least one lane");
    let first = pin!(until_frozen(first, every, silence_max));
    let longer = silence_max * OTHER_LANES_FACTOR;
    let others: Vec<_> =
        connections.map(|other| Box::pin(until_frozen(other, silence_max, longer))).collect();
    if others.is_empty() {
        return first.await;
    }
    match select(first, select_all(others)).await {
        Either::Left((silent_for, _)) => silent_for,
        Either::Right(((silent_for, ..), _)) => silent_for,
    }
}

async fn until_frozen(connection: Connection, every: Duration, silence_max: Duration) -> Duration {
    let mut silences = Silences::default();
    loop {
        let asked = Instant::now();
        match connection.ping(silence_max).await {
            Ok(_) => {
                silences = Silences::default();
                sleep(every).await;
            }
            Err(PingError::Closed) => std::future::pending().await, // its end is heard in another way
            Err(PingError::TimedOut) if silences.one_more_counts(asked.elapsed(), silence_max) => {
                return asked.elapsed();
            }
            Err(PingError::TimedOut) => {} // asks again at once: the answer may be waiting
        }
    }
}

/// Pings in a row without an answer.
#[derive(Debug, Default)]
struct Silences {
    late: u32,
}

impl Silences {
    /// Whether a ping that was given up after `waited` means that the other side is frozen.
    fn one_more_counts(&mut self, waited: Duration, silence_max: Duration) -> bool {
        self.late += 1;
        waited < silence_max + LATE || self.late > LATE_TIMES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE_MAX: Duration = Duration::from_millis(1_500);

    #[test]
    fn who_is_silent_for_too_long_is_frozen() {
        assert!(Silences::default().one_more_counts(SILENCE_MAX, SILENCE_MAX));
    }

    #[test]
    fn a_host_that_stood_still_itself_asks_again_but_not_for_ever() {
        let mut silences = Silences::default();
        let stood_still = Duration::from_secs(60);
        for _ in 0..LATE_TIMES_MAX {
            assert!(!silences.one_more_counts(stood_still, SILENCE_MAX));
        }
        assert!(silences.one_more_counts(stood_still, SILENCE_MAX));
    }
}
