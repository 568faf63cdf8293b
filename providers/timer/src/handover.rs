//! Hands one tick to the actor: again after an error of its own, and as long as it was provably not called.

use std::time::{Duration, Instant};

use tracing::{debug, info, warn};
use wattle_schedule::{Handed, Tick, hand};
use wattle_sdk::handing::{Actor, End};

use crate::settings::Pace;

/// Between two calls of which the first provably did not reach the actor.
const NOT_RUN_PAUSE: Duration = Duration::from_millis(250);

/// Comes back when the tick is done, or given up.
pub(crate) async fn hand_over(actor: &Actor, pace: &Pace, tick: Tick, mut end: End) {
    let Tick { schedule, due, missed, .. } = tick;
    let mut attempt = 1;
    let mut reachable_by = Instant::now() + pace.timeout;
    loop {
        let tick = Tick { schedule: schedule.clone(), due, missed, attempt };
        let handed = hand(actor, tick).await;
        let Some(reason) = handed.reason() else {
            return debug!(%schedule, due, missed, attempt, link = actor.link, "tick handled");
        };
        let pause = match handed {
            Handed::NotRun(_) if Instant::now() < reachable_by => Some(NOT_RUN_PAUSE),
            Handed::Refused(_) if attempt <= pace.retries => {
                info!(%schedule, due, attempt, %reason, "the tick comes again");
                let index = usize::try_from(attempt - 1).unwrap_or(usize::MAX);
                attempt += 1;
                let pause =
                    *pace.backoff.get(index).unwrap_or(&pace.backoff[pace.backoff.len() - 1]);
                reachable_by = Instant::now() + pause + pace.timeout;
                Some(pause)
            }
            _ => None,
        };
        let Some(pause) = pause else {
            return warn!(%schedule, due, attempt, %reason, link = actor.link, "tick given up");
        };
        tokio::select! {
            biased;
            () = end.draining() => {
                return warn!(%schedule, due, attempt, %reason, link = actor.link, "tick given up: the link ends here");
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
}
