//! How much an actor's calls carry over the bridge, or through an adapter for as many values. What a guest gives is read before
//! anybody can count it, and no epoch interrupts that; so an actor that carried much runs in the background from its first
//! instruction on, until it has carried little for a while.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Bytes that are turned into values, or values into bytes, on a lane: with more, a call goes on in the background. Each byte may
/// be a value.
pub(super) const LANE_BYTES_MAX: usize = 16 * 1024;

/// Calls that begin in the background after one that carried much.
const CALLS_AWAY: u32 = 16;

/// One actor's.
#[derive(Debug, Default)]
pub(in crate::actors) struct Freight(AtomicU32);

impl Freight {
    /// Notes what a call carried.
    pub(super) fn carried(&self, bytes: usize) {
        if bytes > LANE_BYTES_MAX {
            self.carried_much();
        }
    }

    /// Notes that a call carried more than is to be read on a lane.
    pub(in crate::actors) fn carried_much(&self) {
        self.0.store(CALLS_AWAY, Relaxed);
    }

    /// Whether the next call is to begin in the background.
    pub(in crate::actors) fn is_heavy(&self) -> bool {
        // Most actors never carry much: they only look.
        self.0.load(Relaxed) > 0
            && self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_that_carried_much_is_heavy_for_some_calls() {
        let freight = Freight::default();
        freight.carried(LANE_BYTES_MAX);
        assert!(!freight.is_heavy());
        freight.carried(LANE_BYTES_MAX + 1);
        assert_eq!((0..100).filter(|_| freight.is_heavy()).count(), CALLS_AWAY as usize);
    }
}
