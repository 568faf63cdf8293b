//! What this connection dropped and refused.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was dropped and refused on this connection since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Events and beats that were not sent: no connection, the outgoing queue was full, or the server takes no message so large.
    pub dropped: u64,
    /// Messages that arrived and were refused: too large, malformed, or without a place to answer to.
    pub refused: u64,
    /// Commands refused because too many were under way.
    pub overloaded: u64,
}

/// The counters behind [`Traffic`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) dropped: Counter,
    pub(crate) refused: Counter,
    pub(crate) overloaded: Counter,
}

impl Counters {
    pub(crate) fn read(&self) -> Traffic {
        Traffic {
            dropped: self.dropped.read(),
            refused: self.refused.read(),
            overloaded: self.overloaded.read(),
        }
    }
}

/// Counts, and orders nothing.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
