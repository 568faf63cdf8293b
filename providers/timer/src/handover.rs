//! Hands one tick to the actor: again after an error of its own, and as long as it was provably not called.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};
use wattle_schedule::{Handed, Tick, hand};
use wattle_sdk::{
    Term,
    handing::{Actor, End},
};

use crate::settings::Pace;

/// Between two calls of which the first provably did not reach the actor.
const NOT_RUN_PAUSE: Duration = Duration::from_millis(250);

/// A tick that is still to be handed over.
#[derive(Clone, Debug)]
pub(crate) struct Owed {
    pub(crate) tick: Tick,
    /// None before the first attempt.
    pub(crate) again: Option<Again>,
}

/// Why a tick is handed over again, and not before when.
#[derive(Clone, Debug)]
pub(crate) struct Again {
    reason: String,
    at: Instant,
}

/// Comes back when the tick is done, or given up; with it, if the term ended before. Whoever holds the lease then may hand over newer
/// ones, and none comes after a newer one.
pub(crate) async fn hand_over(
    actor: &Actor,
    pace: &Pace,
    owed: Owed,
    term: &Term,
    mut end: End,
) -> Option<Owed> {
    let Owed { mut tick, mut again } = owed;
    let begins = again.as_ref().map_or(Instant::now(), |again| again.at.max(Instant::now()));
    let mut reachable_by = begins + pace.timeout;
    loop {
        if let Some(Again { reason, at }) = &again {
            let Tick { schedule, due, attempt, .. } = &tick;
            tokio::select! {
                biased;
                () = end.draining() => {
                    warn!(%schedule, due, attempt, %reason, link = actor.link, "tick given up: the link ends here");
                    return None;
                }
                () = term.over() => {
                    warn!(%schedule, due, attempt, %reason, link = actor.link, "the lease is lost: the tick comes again only if this host has it back before another tick");
                    return Some(Owed { tick, again });
                }
                () = tokio::time::sleep_until(*at) => {}
            }
        }
        let handed = hand(actor, tick.clone()).await;
        let Tick { schedule, due, missed, attempt } = &mut tick;
        let Some(reason) = handed.reason() else {
            debug!(%schedule, due, missed, attempt, link = actor.link, "tick handled");
            return None;
        };
        let pause = match handed {
            Handed::NotRun(_) if Instant::now() < reachable_by => NOT_RUN_PAUSE,
            Handed::Refused(_) if *attempt <= pace.retries => {
                info!(%schedule, due, attempt, %reason, "the tick comes again");
                let index = usize::try_from(*attempt - 1).unwrap_or(usize::MAX);
                *attempt += 1;
                let pause =
                    *pace.backoff.get(index).unwrap_or(&pace.backoff[pace.backoff.len() - 1]);
                reachable_by = Instant::now() + pause + pace.timeout;
                pause
            }
            _ => {
                warn!(%schedule, due, attempt, %reason, link = actor.link, "tick given up");
                return None;
            }
        };
        again = Some(Again { reason, at: Instant::now() + pause });
    }
}
