//! A body that nobody reads: over HTTP/2, where a client says how much it wants of each stream, hyper does not look at a body whose
//! client wants nothing of it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    task::AbortHandle,
    time::{Instant, sleep_until},
};
use wattle_sdk::{Body, StreamError};

/// What hyper has in hand of a stream goes out first, at whatever pace the line has: so a reader may take a multiple of the time that
/// a body may stand still for.
const TIMES_IDLE: u32 = 2;

/// A body that is let go when it is not read in time, which ends its call.
pub(super) struct InTime {
    unread: Arc<Mutex<Unread>>,
    watch: AbortHandle,
}

struct Unread {
    /// `None` once it was let go.
    body: Option<Body>,
    read: Instant,
}

impl InTime {
    pub(super) fn new(body: Body, idle: Duration) -> Self {
        let unread = Arc::new(Mutex::new(Unread { body: Some(body), read: Instant::now() }));
        let watch = tokio::spawn(let_go(Arc::clone(&unread), idle * TIMES_IDLE)).abort_handle();
        Self { unread, watch }
    }

    /// Reads.
    ///
    /// # Errors
    /// It was let go.
    pub(super) fn with<T>(&mut self, read: impl FnOnce(&mut Body) -> T) -> Result<T, StreamError> {
        let mut unread = lock(&self.unread);
        unread.read = Instant::now();
        unread.body.as_mut().map(read).ok_or(StreamError::Idle)
    }
}

impl Drop for InTime {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

async fn let_go(unread: Arc<Mutex<Unread>>, wait: Duration) {
    loop {
        let due = lock(&unread).read + wait;
        if due <= Instant::now() {
            let body = lock(&unread).body.take();
            return drop(body);
        }
        sleep_until(due).await;
    }
}

fn lock(unread: &Mutex<Unread>) -> MutexGuard<'_, Unread> {
    unread.lock().unwrap_or_else(PoisonError::into_inner)
}
