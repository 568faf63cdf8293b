//! Streams of `wasi:io` over the bodies of calls: what a guest reads and writes beside the contracts' functions.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use parking_lot::Mutex;
use wasmtime_wasi::{
    async_trait,
    p2::{InputStream, OutputStream, Pollable, StreamError as WasiError, StreamResult},
};
use wattle_wire::{Body, BodySender, StreamError};

/// Bytes that a guest may write ahead of whoever reads them. Small, so that streams of any size pass in little memory.
const CHUNK_BYTES: usize = 64 * 1024;

/// A body that a guest reads.
pub(super) struct BodyReader {
    body: Body,
    /// What was looked at ahead of the guest.
    ahead: Option<Result<Bytes, StreamError>>,
    ended: bool,
}

impl BodyReader {
    pub(super) fn new(body: Body) -> Self {
        Self { body, ahead: None, ended: false }
    }

    /// Ready when there is something to read, be it the end.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ahead.is_some() || self.ended {
            return Poll::Ready(());
        }
        self.body.poll_chunk(cx).map(|chunk| {
            self.ended = chunk.is_none();
            self.ahead = chunk;
        })
    }
}

#[async_trait]
impl Pollable for BodyReader {
    async fn ready(&mut self) {
        poll_fn(|cx| self.poll_ahead(cx)).await;
    }
}

impl InputStream for BodyReader {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        // Whoever finds nothing asks when there is something, which leaves a waker that counts.
        let _: Poll<()> = self.poll_ahead(&mut Context::from_waker(Waker::noop()));
        match self.ahead.take() {
            Some(Ok(mut chunk)) => {
                let rest = chunk.split_off(size.min(chunk.len()));
                self.ahead = Some(rest).filter(|rest| !rest.is_empty()).map(Ok);
                Ok(chunk)
            }
            Some(Err(error)) => {
                self.ended = true;
                Err(failed(&error))
            }
            None if self.ended => Err(WasiError::Closed),
            None => Ok(Bytes::new()),
        }
    }
}

/// A body that a guest writes, in two hands: the stream that the guest writes to, and whatever the stream is of, which ends it. A
/// guest that drops its stream has not said that this was all.
#[derive(Clone)]
pub(super) struct Writing(Arc<Mutex<Pipe>>);

struct Pipe {
    /// None once it has ended.
    sender: Option<BodySender>,
    /// What the reader has no room for yet.
    waiting: Bytes,
    failed: Option<StreamError>,
    /// Whether somebody reads, or will.
    is_read: bool,
}

/// What a guest is told that fills a body ahead of saying who reads it.
const NOBODY_READS: &str = "nobody reads this yet, and its window is full: say first where it goes";

impl Writing {
    pub(super) fn new(sender: BodySender) -> Self {
        let pipe =
            Pipe { sender: Some(sender), waiting: Bytes::new(), failed: None, is_read: false };
        Self(Arc::new(Mutex::new(pipe)))
    }

    /// Somebody reads from now on.
    pub(super) fn read(&self) {
        self.0.lock().is_read = true;
    }

    /// Ends the body, once all that was written has gone.
    ///
    /// # Cancel safety
    /// A body whose end is not reached is interrupted.
    pub(super) async fn finish(&self) {
        poll_fn(|cx| self.0.lock().poll_sent(cx)).await;
        let mut pipe = self.0.lock();
        if let (Some(sender), None) = (pipe.sender.take(), &pipe.failed) {
            sender.finish(None);
        }
    }
}

impl Pipe {
    /// Ready when nothing waits any more, or never will be sent.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.waiting.is_empty() || self.failed.is_some() {
            return Poll::Ready(());
        }
        let sent = match self.sender.as_mut() {
            Some(sender) => sender.poll_send(cx, &mut self.waiting),
            None => Poll::Ready(Err(StreamError::Cancelled)),
        };
        sent.map(|sent| self.failed = sent.err())
    }

    fn try_send(&mut self) -> StreamResult<()> {
        let sent = self.poll_sent(&mut Context::from_waker(Waker::noop()));
        self.failure()?;
        if sent.is_pending() && !self.is_read {
            return Err(WasiError::LastOperationFailed(wasmtime::Error::msg(NOBODY_READS)));
        }
        Ok(())
    }

    fn failure(&self) -> StreamResult<()> {
        match &self.failed {
            Some(StreamError::Cancelled) => Err(WasiError::Closed),
            Some(error) => Err(failed(error)),
            None if self.sender.is_none() => Err(WasiError::Closed),
            None => Ok(()),
        }
    }
}

/// The guest's hand.
pub(super) struct BodyWriter(Writing);

impl BodyWriter {
    pub(super) fn new(writing: &Writing) -> Self {
        Self(writing.clone())
    }
}

#[async_trait]
impl Pollable for BodyWriter {
    async fn ready(&mut self) {
        poll_fn(|cx| {
            let mut pipe = self.0.0.lock();
            // Where nobody reads, waiting would be for ever: what is asked next says so.
            if pipe.is_read { pipe.poll_sent(cx) } else { Poll::Ready(()) }
        })
        .await;
    }
}

impl OutputStream for BodyWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        let mut pipe = self.0.0.lock();
        if !pipe.waiting.is_empty() || bytes.len() > CHUNK_BYTES {
            return Err(WasiError::trap("the guest wrote more than it was allowed to"));
        }
        pipe.waiting = bytes;
        let _: Poll<()> = pipe.poll_sent(&mut Context::from_waker(Waker::noop()));
        pipe.failure()
    }

    /// What was written goes on by itself; until it is gone there is no room to write more.
    fn flush(&mut self) -> StreamResult<()> {
        self.0.0.lock().try_send()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let mut pipe = self.0.0.lock();
        pipe.try_send()?;
        Ok(if pipe.waiting.is_empty() { CHUNK_BYTES } else { 0 })
    }
}

fn failed(error: &StreamError) -> WasiError {
    WasiError::LastOperationFailed(wasmtime::Error::msg(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_guest_writes_is_what_is_read_and_it_waits_while_nobody_does() {
        let (sender, mut body) = Body::channel();
        let writing = Writing::new(sender);
        writing.read();
        let mut writer = BodyWriter::new(&writing);
        let mut written = 0_usize;
        while writer.check_write().expect("it is open") > 0 {
            writer.write(Bytes::from(vec![7; CHUNK_BYTES])).expect("there is room");
            written += CHUNK_BYTES;
            assert!(written < 64 << 20, "the window has an end");
        }
        drop(writer); // with a chunk that has no room yet
        let reading = tokio::spawn(async move {
            let mut read = 0;
            while let Some(chunk) = body.chunk().await {
                read += chunk.expect("no gap").len();
            }
            read
        });
        writing.finish().await;
        assert_eq!(reading.await.expect("no panic"), written, "nothing is left out");
    }

    #[tokio::test]
    async fn a_guest_that_fills_what_nobody_reads_is_told_so() {
        let (sender, body) = Body::channel();
        let writing = Writing::new(sender);
        let mut writer = BodyWriter::new(&writing);
        let refused = loop {
            writer.ready().await;
            match writer.check_write() {
                Ok(_) => writer.write(Bytes::from(vec![7; CHUNK_BYTES])).expect("there is room"),
                Err(refused) => break refused,
            }
        };
        assert!(matches!(refused, WasiError::LastOperationFailed(_)), "{refused}");
        writing.read();
        assert_eq!(writer.check_write().expect("it may wait now"), 0);
        drop(body);
    }

    #[tokio::test]
    async fn a_stream_that_is_only_dropped_has_no_end() {
        let (sender, mut body) = Body::channel();
        let writing = Writing::new(sender);
        let mut writer = BodyWriter::new(&writing);
        writer.write(Bytes::from_static(b"half")).expect("there is room");
        drop((writer, writing));
        assert_eq!(body.chunk().await, Some(Ok(Bytes::from_static(b"half"))));
        assert_eq!(body.chunk().await, Some(Err(StreamError::Interrupted)));
    }

    #[tokio::test]
    async fn whoever_reads_sees_the_bytes_the_end_and_what_went_wrong() {
        let mut reader = BodyReader::new(Body::full(&b"abcd"[..]));
        assert_eq!(reader.read(3).expect("some"), &b"abc"[..]);
        assert_eq!(reader.read(3).expect("the rest"), &b"d"[..]);
        assert!(matches!(reader.read(3), Err(WasiError::Closed)));

        let (mut sender, body) = Body::channel();
        let mut reader = BodyReader::new(body);
        assert_eq!(reader.read(3).expect("nothing yet"), Bytes::new());
        sender.send(Bytes::from_static(b"x")).await.expect("there is room");
        sender.abort(StreamError::Lost);
        reader.ready().await;
        assert_eq!(reader.read(3).expect("some"), &b"x"[..]);
        reader.ready().await;
        assert!(matches!(reader.read(3), Err(WasiError::LastOperationFailed(_))));
        assert!(matches!(reader.read(3), Err(WasiError::Closed)));
    }

    #[tokio::test]
    async fn a_reader_that_went_away_closes_the_stream() {
        let (sender, body) = Body::channel();
        let mut writer = BodyWriter::new(&Writing::new(sender));
        drop(body);
        let mut closed = writer.check_write().map(drop);
        if closed.is_ok() {
            closed = writer.write(Bytes::from_static(b"x"));
        }
        assert!(matches!(closed, Err(WasiError::Closed)));
    }
}
