//! A stream of bytes beside a call: what is read of it, and what writes it.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};

use crate::pipe::{Pipe, Reader};

/// Why a stream ended before its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// A piece of it is missing.
    #[error("part of the stream was lost")]
    Lost,
    /// Its writer, or the way to it, went away.
    #[error("the stream was interrupted")]
    Interrupted,
    /// Its reader went away.
    #[error("the stream's reader went away")]
    Cancelled,
    /// It is longer than allowed.
    #[error("the stream is longer than allowed")]
    TooLarge,
    /// Nothing moved for too long.
    #[error("the stream stood still for too long")]
    Idle,
    /// Its writer says that it failed.
    #[error("{0}")]
    Failed(String),
}

/// Where a body's chunks come from: a socket, a guest, a channel.
pub trait ChunkSource: Send + 'static {
    /// The next chunk; `None` is the end, and after it or an error this is not called again.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>>;

    /// What came behind the last chunk. Called once, after the end.
    fn take_trailers(&mut self) -> Option<Bytes> {
        None
    }

    /// Bytes still to come, where that is known.
    fn remaining(&self) -> Option<u64> {
        None
    }
}

/// A stream of bytes with an end, or an error instead of one. Dropping it tells its writer to stop.
pub struct Body {
    /// The next chunk where it is at hand: apart from the others, so that a body of one piece needs no queue.
    first: Bytes,
    /// Chunks behind it that were looked at ahead of their reader.
    seen: VecDeque<Bytes>,
    rest: Rest,
}

enum Rest {
    /// Nothing more but these trailers.
    Ended(Option<Bytes>),
    /// The error that stands instead of an end.
    Failed(StreamError),
    /// A pipe, which a connection or a task of this process fills.
    Reader(Reader),
    /// Another crate's source.
    Source(Box<dyn ChunkSource>),
}

impl Body {
    /// A body that is all at hand.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self::full_with_trailers(bytes, None)
    }

    /// A body that is all at hand, and what stands behind it.
    pub fn full_with_trailers(bytes: impl Into<Bytes>, trailers: Option<Bytes>) -> Self {
        Self { first: bytes.into(), ..Self::of(Rest::Ended(trailers)) }
    }

    /// A body whose chunks come from `source`.
    pub fn new(source: impl ChunkSource) -> Self {
        Self::of(Rest::Source(Box::new(source)))
    }

    /// A body that another task of this process writes, with the same window as one that crosses a socket.
    pub fn channel() -> (BodySender, Self) {
        let pipe = Arc::new(Pipe::default());
        let body = Self::from_reader(Reader::new(Arc::clone(&pipe), None));
        (BodySender { pipe, finished: false }, body)
    }

    fn of(rest: Rest) -> Self {
        Self { first: Bytes::new(), seen: VecDeque::new(), rest }
    }

    pub(crate) fn from_reader(reader: Reader) -> Self {
        Self::of(Rest::Reader(reader))
    }

    /// The next chunk, never an empty one; `None` is the end, after an error too.
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(mem::take(&mut self.first))));
        }
        loop {
            let polled = match self.seen.pop_front() {
                Some(chunk) => Poll::Ready(Some(Ok(chunk))),
                None => self.poll_rest(cx),
            };
            match polled {
                Poll::Ready(Some(Ok(chunk))) if chunk.is_empty() => {}
                polled => return polled,
            }
        }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        let polled = match &mut self.rest {
            Rest::Ended(_) => return Poll::Ready(None),
            Rest::Failed(error) => Poll::Ready(Some(Err(error.clone()))),
            Rest::Reader(reader) => reader.poll_chunk(cx),
            Rest::Source(source) => source.poll_chunk(cx),
        };
        match &polled {
            Poll::Ready(None) => self.rest = Rest::Ended(self.take_trailers()),
            Poll::Ready(Some(Err(_))) => self.rest = Rest::Ended(None),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        polled
    }

    /// The next chunk, never an empty one; `None` is the end, after an error too.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, StreamError>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// All of it, if that is at most `max` bytes.
    ///
    /// # Errors
    /// The stream's own, or `TooLarge`.
    pub async fn collect(&mut self, max: usize) -> Result<Bytes, StreamError> {
        let mut all = BytesMut::new();
        let mut only = Bytes::new();
        while let Some(chunk) = self.chunk().await.transpose()? {
            if only.len() + all.len() + chunk.len() > max {
                return Err(StreamError::TooLarge);
            }
            if only.is_empty() && all.is_empty() {
                only = chunk; // the usual case, without a copy
                continue;
            }
            all.extend_from_slice(&mem::take(&mut only));
            all.extend_from_slice(&chunk);
        }
        Ok(if all.is_empty() { only } else { all.freeze() })
    }

    /// What came behind the last chunk: there after the end, and once.
    pub fn take_trailers(&mut self) -> Option<Bytes> {
        match &mut self.rest {
            Rest::Ended(trailers) => trailers.take(),
            Rest::Failed(_) => None,
            Rest::Reader(reader) => reader.take_trailers(),
            Rest::Source(source) => source.take_trailers(),
        }
    }

    /// The same body once more, if all of it is at hand in one piece.
    pub fn again(&self) -> Option<Self> {
        match &self.rest {
            Rest::Ended(trailers) if self.seen.is_empty() => {
                Some(Self::full_with_trailers(self.first.clone(), trailers.clone()))
            }
            _ => None,
        }
    }

    /// Whether all of it is at hand.
    pub fn is_full(&self) -> bool {
        matches!(self.rest, Rest::Ended(_))
    }

    /// Bytes still to come, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        let rest = match &self.rest {
            Rest::Ended(_) => Some(0),
            Rest::Failed(_) => None,
            Rest::Reader(reader) => reader.remaining(),
            Rest::Source(source) => source.remaining(),
        };
        let seen: u64 = self.seen.iter().map(|chunk| chunk.len() as u64).sum();
        rest.map(|rest| rest + seen + self.first.len() as u64)
    }

    /// Looks ahead: everything, if it ends within `max` bytes without waiting. Else what was seen is put back.
    pub(crate) fn poll_inline(
        &mut self,
        cx: &mut Context<'_>,
        max: usize,
    ) -> Option<(Bytes, Option<Bytes>)> {
        if let (Rest::Ended(trailers), true) = (&mut self.rest, self.seen.is_empty()) {
            let len = self.first.len() + trailers.as_ref().map_or(0, Bytes::len);
            return (len <= max).then(|| (mem::take(&mut self.first), trailers.take()));
        }
        let mut seen = VecDeque::new();
        let mut len = 0;
        let ended = loop {
            match self.poll_chunk(cx) {
                Poll::Ready(Some(Ok(chunk))) => {
                    len += chunk.len();
                    seen.push_back(chunk);
                    if len > max {
                        break false;
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.rest = Rest::Failed(error);
                    break false;
                }
                Poll::Ready(None) => break true,
                Poll::Pending => break false,
            }
        };
        let trailers = if ended { self.take_trailers() } else { None };
        if ended && len + trailers.as_ref().map_or(0, Bytes::len) <= max {
            return Some((concat(seen), trailers));
        }
        if ended {
            self.rest = Rest::Ended(trailers);
        }
        seen.append(&mut self.seen); // `first` was taken before anything else
        self.seen = seen;
        None
    }
}

fn concat(mut chunks: VecDeque<Bytes>) -> Bytes {
    if chunks.len() < 2 {
        return chunks.pop_front().unwrap_or_default();
    }
    let mut all = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    for chunk in chunks {
        all.extend_from_slice(&chunk);
    }
    all.freeze()
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("remaining", &self.remaining()).finish()
    }
}

/// The writing end of [`Body::channel`]. Dropping it without [`BodySender::finish`] interrupts the stream.
#[derive(Debug)]
pub struct BodySender {
    pipe: Arc<Pipe>,
    finished: bool,
}

impl BodySender {
    /// Adds a chunk, once the reader has room for it.
    ///
    /// # Errors
    /// `Cancelled` when the reader is gone.
    ///
    /// # Cancel safety
    /// A chunk whose future is dropped was not added.
    pub async fn send(&mut self, mut chunk: Bytes) -> Result<(), StreamError> {
        poll_fn(|cx| self.pipe.poll_push(cx, &mut chunk)).await
    }

    /// Adds a chunk as [`BodySender::send`] does, and then leaves `chunk` empty.
    pub fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        chunk: &mut Bytes,
    ) -> Poll<Result<(), StreamError>> {
        self.pipe.poll_push(cx, chunk)
    }

    /// Waits until the reader is gone.
    pub async fn reader_gone(&mut self) {
        poll_fn(|cx| self.pipe.poll_reader_gone(cx)).await;
    }

    /// Ends the stream.
    pub fn finish(mut self, trailers: Option<Bytes>) {
        self.finished = true;
        self.pipe.finish(Ok(trailers));
    }

    /// Ends the stream with an error.
    pub fn abort(mut self, error: StreamError) {
        self.finished = true;
        self.pipe.finish(Err(error));
    }
}

impl Drop for BodySender {
    fn drop(&mut self) {
        if !self.finished {
            self.pipe.finish(Err(StreamError::Interrupted));
        }
    }
}

#[cfg(test)]
mod tests;
