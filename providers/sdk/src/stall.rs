//! A limit on how long a stream may stand still.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// Runs only while a stream waits for its next chunk, so a stream that never waits costs no timer.
#[derive(Debug)]
pub struct Stall {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Stall {
    /// A limit that has not begun to run.
    pub fn new(limit: Duration) -> Self {
        Self { limit, timer: None, waiting: false }
    }

    /// The stream moved.
    pub fn moved(&mut self) {
        self.waiting = false;
    }

    /// Ready when the stream has stood still for too long. To be polled when its next chunk is pending.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(Instant::now() + limit);
        }
        timer.as_mut().poll(cx)
    }
}
