//! What is queued for the socket: one buffer for everyone, which one task writes out.

use std::{
    mem,
    task::{Context, Poll, Waker},
};

use crate::frame::Frame;

/// A buffer that has grown beyond this is given back when it was written.
const BUFFER_KEPT_MAX: usize = 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Output {
    buffer: Vec<u8>,
    /// Bytes ever queued, and ever written: where a frame ends tells whether it was written.
    enqueued: u64,
    written: u64,
    /// The task that writes, while it has nothing to do.
    writer: Option<Waker>,
    /// Tasks that wait until less is queued. A new round begins when all of them are woken.
    waiting: Vec<Waker>,
    round: u64,
    closing: bool,
}

/// Remembers that a task waits for room, so that it is listed once however often it is polled.
#[derive(Debug, Default)]
pub(super) struct RoomWait {
    listed: Option<(u64, Waker)>,
}

/// What the writing task is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    Write,
    Close,
}

impl Output {
    /// Queues a frame and says where it ends.
    pub(super) fn put(&mut self, frame: &Frame) -> u64 {
        let before = self.buffer.len();
        frame.encode(&mut self.buffer);
        self.enqueued += (self.buffer.len() - before) as u64;
        self.enqueued
    }

    /// Bytes that are not written yet.
    pub(super) fn queued(&self) -> usize {
        usize::try_from(self.enqueued - self.written).unwrap_or(usize::MAX)
    }

    /// Whether everything up to `end` was given to the socket.
    pub(super) fn was_written(&self, end: u64) -> bool {
        end <= self.written
    }

    /// The writing task, when it has to be woken for what was queued since.
    pub(super) fn take_writer(&mut self) -> Option<Waker> {
        if self.buffer.is_empty() && !self.closing { None } else { self.writer.take() }
    }

    /// Swaps what is queued for the empty `written`, or has the writing task woken when there is something.
    pub(super) fn poll_work(&mut self, cx: &mut Context<'_>, written: &mut Vec<u8>) -> Poll<Work> {
        if !self.buffer.is_empty() {
            mem::swap(&mut self.buffer, written);
            return Poll::Ready(Work::Write);
        }
        if self.closing {
            return Poll::Ready(Work::Close);
        }
        self.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Notes that bytes were written, and gives back who waits for that, once `low` is reached.
    pub(super) fn wrote(&mut self, len: usize, low: usize) -> Vec<Waker> {
        self.written += len as u64;
        if self.waiting.is_empty() || self.queued() > low {
            return Vec::new();
        }
        self.take_waiting()
    }

    fn take_waiting(&mut self) -> Vec<Waker> {
        self.round += 1;
        mem::take(&mut self.waiting)
    }

    /// Waits until at most `max` bytes are queued. Polled again after each wake, since others may be faster.
    pub(super) fn poll_room(
        &mut self,
        cx: &mut Context<'_>,
        wait: &mut RoomWait,
        max: usize,
    ) -> Poll<()> {
        if self.queued() <= max {
            return Poll::Ready(());
        }
        let listed = wait
            .listed
            .as_ref()
            .is_some_and(|(round, waker)| *round == self.round && waker.will_wake(cx.waker()));
        if !listed {
            self.waiting.push(cx.waker().clone());
            wait.listed = Some((self.round, cx.waker().clone()));
        }
        Poll::Pending
    }

    /// Lets the writing task finish once all is written.
    pub(super) fn close(&mut self) {
        self.closing = true;
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Forgets what is queued, and gives back who waited.
    pub(super) fn clear(&mut self) -> Vec<Waker> {
        self.buffer = Vec::new();
        let mut wakers = self.take_waiting();
        wakers.extend(self.writer.take());
        wakers
    }
}

/// Makes a written buffer ready for the next round.
pub(super) fn reuse(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > BUFFER_KEPT_MAX {
        *buffer = Vec::new();
    }
}
