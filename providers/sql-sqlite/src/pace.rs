//! How a statement that computes for long leaves its processor to others.
//!
//! The kernel lets a thread that computes finish its slice, a millisecond or several, ahead of one that wakes up. Beside as many long
//! statements as there are processors, each wake-up of a quick call would wait that long, and a call has several. So a long statement
//! offers its processor again and again. It does so between two of its steps, where it holds none of SQLite's locks but the one on
//! its own file, for which only users of that file wait. Where nobody wants the processor, an offer costs half a microsecond.
//!
//! Rejected: nice 19. The kernel lets such a thread finish its slice, too: beside two queries and a change without end, on two processors,
//! the p99 of quick changes was 2.4 ms (4.7 without, 0.7 this way, 0.5 alone). `SCHED_IDLE` does as well as this, but takes unsafe code
//! to set. A thread cannot leave either again without privileges, and one that is kept from running while it holds SQLite's lock on its memory keeps
//! everybody waiting.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a statement computes before it is a long one.
const LONG: Duration = Duration::from_micros(500);

/// How long a long statement computes from one offer to the next: what a quick call waits at most, per wake-up.
const TURN: Duration = Duration::from_micros(50);

/// Others that kept the processor for so long do not give way themselves. To give way to them turn by turn would be to stand still.
const OTHERS_LONG: Duration = Duration::from_millis(1);

/// When a statement offers its processor next.
#[derive(Debug)]
pub(crate) struct Pace {
    began: Instant,
    offer_at: Instant,
}

impl Pace {
    /// Of a statement that begins.
    pub(crate) fn from(now: Instant) -> Self {
        Self { began: now, offer_at: now + LONG }
    }

    /// How long it has taken.
    pub(crate) fn took(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    /// Lets others compute, if it is time for it and they want to.
    pub(crate) fn keep(&mut self, now: Instant) {
        if now < self.offer_at {
            return;
        }
        thread::yield_now();
        let back = Instant::now();
        self.offer_at = back + turn_after(back - now);
    }
}

/// How long a statement computes after others did for so long. It comes to its end beside any that compute all the time.
fn turn_after(others: Duration) -> Duration {
    if others < OTHERS_LONG { TURN } else { others / 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_statement_keeps_its_processor_and_a_long_one_offers_it() {
        let began = Instant::now();
        let mut pace = Pace::from(began);
        pace.keep(began + LONG / 2);
        assert_eq!(pace.offer_at, began + LONG, "it was not offered");
        pace.keep(began + LONG);
        assert_ne!(pace.offer_at, began + LONG, "it was");
    }

    #[test]
    fn whoever_does_not_give_way_is_followed_by_a_turn_in_proportion() {
        assert_eq!(turn_after(Duration::ZERO), TURN);
        assert_eq!(turn_after(TURN * 10), TURN, "ten that give way, too");
        assert_eq!(turn_after(Duration::from_millis(80)), Duration::from_millis(40));
    }
}
