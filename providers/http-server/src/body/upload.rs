//! A client's body on its way to the host.

use std::{
    future::pending,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Version;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use wattle_sdk::{Body, ChunkSource, Stall, StreamError};

/// Why a body cannot go on, where that is the client's doing and decides the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadFailure {
    TooLarge,
    Stalled,
    /// The client went away, and nobody waits for an answer.
    Gone,
}

/// Says when a body failed, so that the client is told at once and the call ends.
pub(crate) struct UploadWatch(Option<oneshot::Receiver<UploadFailure>>);

impl UploadWatch {
    /// Resolves when the body fails; never for one that does not.
    pub(crate) async fn failure(&mut self) -> UploadFailure {
        match &mut self.0 {
            Some(receiver) => match receiver.await {
                Ok(failure) => failure,
                Err(_) => {
                    self.0 = None;
                    pending().await
                }
            },
            None => pending().await,
        }
    }
}

/// What is read of the client as the host takes it.
pub(crate) struct Upload {
    body: Incoming,
    /// Over HTTP/2 a stream may be reset without an error, which hyper does not tell from its end.
    is_http2: bool,
    /// Bytes that the link still allows.
    allowed: u64,
    stall: Stall,
    trailers: Option<Bytes>,
    failed: Option<oneshot::Sender<UploadFailure>>,
}

impl Upload {
    /// The body as the host's socket takes it, if there is one.
    pub(crate) fn start(
        body: Incoming,
        version: Version,
        len_max: u64,
        idle: Duration,
    ) -> Result<(Option<Body>, UploadWatch), UploadFailure> {
        let hint = body.size_hint();
        if body.is_end_stream() || hint.exact() == Some(0) {
            return Ok((None, UploadWatch(None)));
        }
        if hint.lower() > len_max {
            return Err(UploadFailure::TooLarge);
        }
        let (failed, watch) = oneshot::channel();
        let (is_http2, stall) = (version == Version::HTTP_2, Stall::new(idle));
        let (allowed, failed) = (len_max, Some(failed));
        let upload = Self { body, is_http2, allowed, stall, trailers: None, failed };
        Ok((Some(Body::new(upload)), UploadWatch(Some(watch))))
    }

    fn fail(&mut self, failure: UploadFailure, error: StreamError) -> StreamError {
        if let Some(failed) = self.failed.take() {
            let _ = failed.send(failure); // nobody waits once the answer's head is there
        }
        error
    }

    fn data(&mut self, data: Bytes) -> Result<Bytes, StreamError> {
        self.stall.moved();
        match self.allowed.checked_sub(data.len() as u64) {
            Some(left) => {
                self.allowed = left;
                Ok(data)
            }
            None => Err(self.fail(UploadFailure::TooLarge, StreamError::TooLarge)),
        }
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Err(_))) => {
                Poll::Ready(Some(Err(self.fail(UploadFailure::Gone, StreamError::Interrupted))))
            }
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(None) if self.is_http2 && !self.body.is_end_stream() => {
                Poll::Ready(Some(Err(self.fail(UploadFailure::Gone, StreamError::Interrupted))))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                ready!(self.stall.poll(cx));
                Poll::Ready(Some(Err(self.fail(UploadFailure::Stalled, StreamError::Idle))))
            }
        }
    }
}

impl ChunkSource for Upload {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        loop {
            if self.body.is_end_stream() {
                return Poll::Ready(None); // known from its length, before hyper has read on
            }
            let frame = match ready!(self.poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => frame,
            };
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Poll::Ready(Some(self.data(data))),
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    match wattle_http::encode_trailers(&trailers) {
                        Ok(trailers) => self.trailers = Some(trailers.into()),
                        Err(error) => {
                            return Poll::Ready(Some(Err(StreamError::Failed(error.to_string()))));
                        }
                    }
                }
            }
        }
    }

    fn take_trailers(&mut self) -> Option<Bytes> {
        self.trailers.take()
    }

    fn remaining(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }
}
