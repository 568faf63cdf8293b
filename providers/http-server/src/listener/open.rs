//! How many connections are open, over all addresses.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// The connections of the process.
#[derive(Default)]
pub(crate) struct Connections {
    open: AtomicUsize,
    /// Connections that ever were, wrapping.
    accepted: AtomicUsize,
    none_left: Notify,
}

/// One open connection.
pub(crate) struct Open {
    all: Arc<Connections>,
    number: usize,
}

impl Connections {
    /// Counts one more, unless there are `max`.
    pub(crate) fn open(self: &Arc<Self>, max: usize) -> Option<Open> {
        // Only the accepting lane adds, so the count cannot grow between the two.
        if self.open.load(Ordering::Acquire) >= max {
            return None;
        }
        self.open.fetch_add(1, Ordering::AcqRel);
        let number = self.accepted.fetch_add(1, Ordering::Relaxed);
        Some(Open { all: self.clone(), number })
    }

    /// Waits until none is open.
    pub(crate) async fn none_left(&self) {
        loop {
            let notified = self.none_left.notified();
            if self.open.load(Ordering::Acquire) == 0 {
                return;
            }
            notified.await;
        }
    }
}

impl Open {
    /// Which connection of the process this is, counted from 0.
    pub(crate) fn number(&self) -> usize {
        self.number
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.all.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all.none_left.notify_waiters();
        }
    }
}
