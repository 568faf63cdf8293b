//! A bounded queue of chunks between one writer and one reader: what a body is made of when its bytes come from elsewhere.
//!
//! The writer is a connection, which the window on the wire keeps in bounds, or a task of this process, which waits.

use std::{
    collections::VecDeque,
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::{
    body::StreamError,
    frame::{WINDOW, cost},
};

/// How much a reader takes before its writer hears of it: often enough that the writer never runs dry, seldom enough to cost nothing.
const REPORT_AT: u32 = WINDOW / 4;
/// Chunks below this many bytes are copied out of the buffer that they were read in, which they would keep alive.
const COPY_BELOW: usize = 4 * 1024;

/// How a stream ended: its trailers, or an error.
pub(crate) type End = Result<Option<Bytes>, StreamError>;

/// The shared middle of writer and reader.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Bytes>,
    /// What the chunks take of the window, and what was taken from them but not yet reported to the writer.
    held: u32,
    unreported: u32,
    end: Option<End>,
    reader_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The other side sent more than the window allows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overrun;

impl Pipe {
    /// Adds what came over a wire.
    pub(crate) fn push(&self, chunk: Bytes) -> Result<(), Overrun> {
        let mut state = self.state.lock();
        if state.end.is_some() || state.reader_gone {
            return Ok(());
        }
        let held = state.held.saturating_add(cost(&chunk));
        if held.saturating_add(state.unreported) > WINDOW {
            return Err(Overrun);
        }
        let chunk = if chunk.len() < COPY_BELOW { Bytes::copy_from_slice(&chunk) } else { chunk };
        state.held = held;
        state.chunks.push_back(chunk);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        Ok(())
    }

    /// Ends the stream. The first end counts.
    pub(crate) fn finish(&self, end: End) {
        let mut state = self.state.lock();
        state.end.get_or_insert(end);
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }

    /// Adds a chunk from this process once there is room for it, and takes it out of `chunk`.
    pub(crate) fn poll_push(
        &self,
        cx: &mut Context<'_>,
        chunk: &mut Bytes,
    ) -> Poll<Result<(), StreamError>> {
        let mut state = self.state.lock();
        if state.reader_gone {
            return Poll::Ready(Err(StreamError::Cancelled));
        }
        // A chunk as large as the window, or larger, passes when nothing is ahead of it.
        let fits = state.held == 0 || state.held.saturating_add(cost(chunk)) <= WINDOW;
        if !fits {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.held = state.held.saturating_add(cost(chunk));
        state.chunks.push_back(mem::take(chunk));
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        Poll::Ready(Ok(()))
    }

    /// Waits until the reader has gone.
    pub(crate) fn poll_reader_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if state.reader_gone {
            return Poll::Ready(());
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Whoever writes into a pipe from afar: it hears what the reader does.
pub(crate) trait Origin: Send + Sync {
    /// The reader took this much.
    fn credit(&self, more: u32);
    /// The reader went away before the end.
    fn stop(&self);
}

/// The reading end. Dropping it before the end stops the writer.
pub(crate) struct Reader {
    pipe: Arc<Pipe>,
    /// `None` when the writer is a task of this process.
    origin: Option<Box<dyn Origin>>,
    trailers: Option<Bytes>,
    ended: bool,
}

impl Reader {
    pub(crate) fn new(pipe: Arc<Pipe>, origin: Option<Box<dyn Origin>>) -> Self {
        Self { pipe, origin, trailers: None, ended: false }
    }

    pub(crate) fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, StreamError>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let mut state = self.pipe.state.lock();
        if let Some(chunk) = state.chunks.pop_front() {
            let taken = cost(&chunk).min(state.held);
            state.held -= taken;
            self.report(state, taken);
            return Poll::Ready(Some(Ok(chunk)));
        }
        let Some(end) = state.end.clone() else {
            if !state.reader.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                state.reader = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        drop(state);
        self.ended = true;
        match end {
            Ok(trailers) => {
                self.trailers = trailers;
                Poll::Ready(None)
            }
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    /// Lets the writer know of what was taken, when that has become enough.
    fn report(&self, mut state: parking_lot::MutexGuard<'_, State>, taken: u32) {
        let Some(origin) = &self.origin else {
            let writer = if state.held <= WINDOW / 2 { state.writer.take() } else { None };
            drop(state);
            return wake(writer);
        };
        state.unreported += taken;
        if state.unreported < REPORT_AT || state.end.is_some() {
            return;
        }
        let more = mem::take(&mut state.unreported);
        drop(state);
        origin.credit(more);
    }

    pub(crate) fn take_trailers(&mut self) -> Option<Bytes> {
        self.trailers.take()
    }

    /// Bytes still to come, once the end is here.
    pub(crate) fn remaining(&self) -> Option<u64> {
        let state = self.pipe.state.lock();
        let here = || state.chunks.iter().map(|chunk| chunk.len() as u64).sum();
        matches!(state.end, Some(Ok(_))).then(here)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut state = self.pipe.state.lock();
        state.reader_gone = true;
        let open = state.end.is_none();
        let chunks = mem::take(&mut state.chunks);
        let writer = state.writer.take();
        drop(state);
        drop(chunks);
        wake(writer);
        if let (true, Some(origin)) = (open, &self.origin) {
            origin.stop();
        }
    }
}
