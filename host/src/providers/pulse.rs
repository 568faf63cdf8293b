//! Whether a process still answers: frozen processes keep their sockets open and say nothing.

use std::{future::Future, pin::pin, time::Duration};

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
    until_silent(every, silence_max, || connection.ping(silence_max)).await
}

async fn until_silent<F>(every: Duration, silence_max: Duration, ping: impl Fn() -> F) -> Duration
where
    F: Future<Output = Result<Duration, PingError>>,
{
    let mut late_times = 0;
    loop {
        let asked = Instant::now();
        match ping().await {
            Ok(_) => late_times = 0,
            Err(PingError::Closed) => std::future::pending().await, // its end is heard in another way
            Err(PingError::TimedOut) => {
                let waited = asked.elapsed();
                late_times += 1;
                if waited < silence_max + LATE || late_times > LATE_TIMES_MAX {
                    return waited;
                }
                continue; // at once: the answer may be waiting
            }
        }
        sleep(every).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::timeout;

    use super::*;

    const EVERY: Duration = Duration::from_millis(500);
    const SILENCE_MAX: Duration = Duration::from_millis(1_500);

    #[tokio::test(start_paused = true)]
    async fn who_answers_is_not_frozen() {
        let answers = || async { Ok(Duration::ZERO) };
        let hour = Duration::from_secs(3_600);
        assert!(timeout(hour, until_silent(EVERY, SILENCE_MAX, answers)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_for_too_long_is_frozen() {
        let silent = || async {
            sleep(SILENCE_MAX).await;
            Err(PingError::TimedOut)
        };
        let started = Instant::now();
        let silent_for = until_silent(EVERY, SILENCE_MAX, silent).await;
        assert_eq!(silent_for, started.elapsed());
        assert!(silent_for < SILENCE_MAX + LATE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_stood_still_itself_asks_again_but_not_for_ever() {
        let pings = AtomicU32::new(0);
        let late = || async {
            pings.fetch_add(1, Ordering::Relaxed);
            sleep(SILENCE_MAX * 2).await;
            Err(PingError::TimedOut)
        };
        until_silent(EVERY, SILENCE_MAX, late).await;
        assert_eq!(pings.into_inner(), LATE_TIMES_MAX + 1);
    }
}
