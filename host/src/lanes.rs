//! The host's lanes: threads that carry calls, each with a runtime of its own.

use std::io;

use tokio::runtime::Handle;

/// The host's lanes. What belongs to one call stays on one lane, so that its path crosses no thread.
#[derive(Debug)]
pub(crate) struct Lanes {
    handles: Vec<Handle>,
}

impl Lanes {
    /// Starts `count` lanes, at least one and at most 64.
    pub(crate) fn start(_count: usize) -> io::Result<Self> {
        unimplemented!()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.handles.len()
    }

    /// The runtime of one lane.
    pub(crate) fn handle(&self, lane: usize) -> &Handle {
        &self.handles[lane % self.handles.len()]
    }

    /// The calling thread's lane, if it is one.
    pub(crate) fn current() -> Option<usize> {
        None
    }

    /// Ends all lanes: drops their tasks and joins their threads. Said again, it does nothing.
    pub(crate) fn shutdown(&self) {
        unimplemented!()
    }
}
