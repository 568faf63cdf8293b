//! Whether a process still answers: frozen processes keep their sockets open and say nothing.

use std::{future::Future, pin::pin, time::Duration};

use futures::future::{Either, select, select_all};
use tokio::time::{Instant, sleep, timeout_at};
use wattle_wire::{Connection, PingError};

/// A ping that went unanswered says nothing when this host itself stood still, as all of a machine does that is moved or asleep: a
/// timer then rings late by more than this.
const LATE: Duration = Duration::from_millis(250);

/// Between two looks whether this host stands still.
const LOOK_EVERY: Duration = Duration::from_millis(100);

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
        let (answer, stood_still) = watching_ourselves(connection.ping(silence_max)).await;
        match answer {
            Ok(_) => {
                silences = Silences::default();
                sleep(every).await;
            }
            Err(PingError::Closed) => std::future::pending().await, // its end is heard in another way
            // It says much, and the answer comes behind that.
            Err(PingError::TimedOut) if connection.silent_for() < silence_max / 2 => {}
            Err(PingError::TimedOut) if silences.one_more_counts(stood_still) => {
                return asked.elapsed();
            }
            Err(PingError::TimedOut) => {} // asks again at once: the answer may be waiting
        }
    }
}

/// What comes of `asking`, and whether this host stood still meanwhile.
async fn watching_ourselves<T>(asking: impl Future<Output = T>) -> (T, bool) {
    let mut asking = pin!(asking);
    let mut stood_still = false;
    loop {
        let look = Instant::now() + LOOK_EVERY;
        let answer = timeout_at(look, &mut asking).await;
        stood_still |= Instant::now() > look + LATE;
        if let Ok(answer) = answer {
            return (answer, stood_still);
        }
    }
}

/// Pings in a row without an answer.
#[derive(Debug, Default)]
struct Silences {
    late: u32,
}

impl Silences {
    /// Whether a ping that was given up means that the other side is frozen.
    fn one_more_counts(&mut self, stood_still: bool) -> bool {
        self.late += 1;
        !stood_still || self.late > LATE_TIMES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_silent_for_too_long_is_frozen() {
        assert!(Silences::default().one_more_counts(false));
    }

    #[test]
    fn a_host_that_stood_still_itself_asks_again_but_not_for_ever() {
        let mut silences = Silences::default();
        for _ in 0..LATE_TIMES_MAX {
            assert!(!silences.one_more_counts(true));
        }
        assert!(silences.one_more_counts(true));
    }

    #[tokio::test]
    #[expect(
        clippy::disallowed_methods,
        reason = "that the runtime stands still is what is tested"
    )]
    async fn a_host_knows_that_it_stood_still_though_its_timers_ring_in_time() {
        let silence = Duration::from_millis(700);
        let (_, stood_still) = watching_ourselves(sleep(silence)).await;
        assert!(!stood_still);
        let still = async {
            std::thread::sleep(silence); // nothing of this runtime runs
            sleep(Duration::from_millis(1)).await;
        };
        let (_, stood_still) =
            watching_ourselves(async { tokio::join!(sleep(silence), still) }).await;
        assert!(stood_still);
    }
}
