//! What is to be done now: pure functions of the wall clock, and of what was done last.

use crate::schedule::Schedule;

/// What is due is looked at in such pieces: an outage of a month has millions of seconds.
const LOOK_MAX: usize = 2_000;

/// The most missed ticks that a link may have made up for.
pub(crate) const MISSED_MAX: usize = LOOK_MAX / 2;

/// No more than `MISSED_MAX` ticks are due within this: nothing is more often than each second.
const CLOSE_MS: i64 = 1_000_000;

/// What becomes of ticks that nobody was there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// They are not made up for, unless the newest is not yet too late.
    Skip { grace_ms: i64 },
    /// The newest of them is.
    Latest,
    /// All are, the oldest first; of more than so many the newest.
    All { most: usize },
}

/// What becomes of a tick that falls due while the one before it is being handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlap {
    /// Nothing.
    Skip,
    /// It comes after it; of more than so many the newest.
    Queue { most: usize },
}

/// What a link wants of ticks that do not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) missed: Missed,
    pub(crate) overlap: Overlap,
}

/// What was done last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Past {
    /// The last tick that was handed over, or dropped. What was due up to then is done with.
    pub(crate) last_ms: i64,
    /// Ticks that were dropped since one was handed over.
    pub(crate) missed: u32,
    /// From when until when one call here followed another without a pause. What fell due in that time overlapped.
    pub(crate) busy_ms: Option<(i64, i64)>,
}

impl Past {
    /// Nothing has been done here; this was the last tick elsewhere, or before.
    pub(crate) fn resumed(last_ms: i64) -> Self {
        Self { last_ms, missed: 0, busy_ms: None }
    }

    /// There was nothing to do for a moment.
    pub(crate) fn rested(&mut self) {
        self.busy_ms = None;
    }

    /// These ticks were dropped.
    pub(crate) fn dropped(&mut self, to_ms: i64, missed: u32) {
        self.last_ms = to_ms;
        self.missed = self.missed.saturating_add(missed);
    }

    /// This tick was handled, between these times.
    pub(crate) fn handled(&mut self, due_ms: i64, from_ms: i64, until_ms: i64) {
        let since_ms = self.busy_ms.map_or(from_ms, |(since_ms, _)| since_ms);
        *self = Self { last_ms: due_ms, missed: 0, busy_ms: Some((since_ms, until_ms)) };
    }

    fn overlapped(&self, due_ms: i64) -> bool {
        self.busy_ms.is_some_and(|(from_ms, until_ms)| from_ms < due_ms && due_ms <= until_ms)
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing before this time. None: never again.
    Wait { until_ms: Option<i64> },
    /// This tick is to be handed over.
    Fire { due_ms: i64, missed: u32 },
    /// What was due up to this time is dropped: so many ticks, or more.
    Drop { to_ms: i64, missed: u32 },
}

/// What is to be done at `now_ms`.
pub(crate) fn step(schedule: &Schedule, policy: Policy, past: Past, now_ms: i64) -> Step {
    let due = schedule.between(past.last_ms, now_ms, LOOK_MAX);
    let Some(newest_ms) = due.last().copied() else {
        // A clock that was put back does not bring anything a second time.
        return Step::Wait { until_ms: schedule.next_after(past.last_ms.max(now_ms)) };
    };
    if due.len() == LOOK_MAX {
        // Not all of it, perhaps. What is too old to be made up for is not even counted one by one.
        let (half_ms, even_ms) = (due[MISSED_MAX - 1], now_ms - (newest_ms - due[0]));
        let to_ms = too_old(schedule, half_ms, even_ms, now_ms);
        return Step::Drop { to_ms, missed: count(MISSED_MAX) };
    }
    let newest = due.len() - 1;
    let is_wanted = |index: &usize| {
        let (due_ms, newer) = (due[*index], newest - index);
        match (policy.overlap, policy.missed) {
            (Overlap::Queue { most }, _) if past.overlapped(due_ms) => newer < most,
            (Overlap::Skip, _) if past.overlapped(due_ms) => false,
            (_, Missed::All { most }) => newer < most,
            (_, Missed::Latest) => newer == 0,
            (_, Missed::Skip { grace_ms }) => newer == 0 && now_ms - due_ms <= grace_ms,
        }
    };
    match (0..due.len()).find(is_wanted) {
        Some(index) => {
            Step::Fire { due_ms: due[index], missed: past.missed.saturating_add(count(index)) }
        }
        None => Step::Drop { to_ms: newest_ms, missed: count(due.len()) },
    }
}

/// Up to when nothing is made up for: as much as a link may want is due after that, and not much more. Of these two times, the first
/// is early enough; the second is so if what is due keeps its pace, but not where a burst is followed by hours of nothing.
fn too_old(schedule: &Schedule, early_ms: i64, even_ms: i64, now_ms: i64) -> i64 {
    let is_early = |ms| schedule.between(ms, now_ms, MISSED_MAX).len() == MISSED_MAX;
    if even_ms <= early_ms || is_early(even_ms) {
        return early_ms.max(even_ms);
    }
    let (mut early_ms, mut late_ms) = (early_ms, even_ms);
    while late_ms - early_ms > CLOSE_MS {
        let middle_ms = early_ms + (late_ms - early_ms) / 2;
        if is_early(middle_ms) {
            early_ms = middle_ms;
        } else {
            late_ms = middle_ms;
        }
    }
    early_ms
}

fn count(ticks: usize) -> u32 {
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
