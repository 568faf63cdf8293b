//! A stream of bytes beside a call: what is read of it, and what writes it.

use std::{
    fmt,
    future::poll_fn,
    task::{Context, Poll},
};

use bytes::Bytes;

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
    _skeleton: (),
}

impl Body {
    /// A body that is all at hand.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let _: Bytes = bytes.into();
        unimplemented!()
    }

    /// A body whose chunks come from `source`.
    pub fn new(_source: impl ChunkSource) -> Self {
        unimplemented!()
    }

    /// A body that another task of this process writes, with the same window as one that crosses a socket.
    pub fn channel() -> (BodySender, Self) {
        unimplemented!()
    }

    /// The next chunk; `None` is the end.
    pub fn poll_chunk(
        &mut self,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, StreamError>>> {
        unimplemented!()
    }

    /// The next chunk; `None` is the end.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, StreamError>> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// What came behind the last chunk: there after the end, and once.
    pub fn take_trailers(&mut self) -> Option<Bytes> {
        unimplemented!()
    }

    /// Whether all of it is at hand.
    pub fn is_full(&self) -> bool {
        unimplemented!()
    }

    /// Bytes still to come, where that is known.
    pub fn remaining(&self) -> Option<u64> {
        unimplemented!()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}

/// The writing end of [`Body::channel`]. Dropping it without [`BodySender::finish`] interrupts the stream.
#[derive(Debug)]
pub struct BodySender {
    _skeleton: (),
}

impl BodySender {
    /// Adds a chunk, once the reader has room for it.
    ///
    /// # Errors
    /// `Cancelled` when the reader is gone.
    pub async fn send(&mut self, _chunk: Bytes) -> Result<(), StreamError> {
        unimplemented!()
    }

    /// Ends the stream.
    pub fn finish(self, _trailers: Option<Bytes>) {
        unimplemented!()
    }

    /// Ends the stream with an error.
    pub fn abort(self, _error: StreamError) {
        unimplemented!()
    }
}
