//! A response's body on its way back.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Version;
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use wattle_sdk::{Body, ChunkSource, Stall, StreamError};

use super::Rest;

/// What is read of the connection as the host takes it.
pub(crate) struct Download {
    body: Incoming,
    /// Over HTTP/2 a stream may be reset without an error, which hyper does not tell from its end.
    is_http2: bool,
    stall: Stall,
    trailers: Option<Bytes>,
    /// What of the request's own body is still to be sent: nothing more once the response has ended.
    rest: Rest,
    /// The request's place: it is under way until all of its response was taken.
    _place: OwnedSemaphorePermit,
}

impl Download {
    /// The body as the host's socket takes it, if there is one.
    pub(crate) fn start(
        body: Incoming,
        version: Version,
        idle: Duration,
        rest: Rest,
        place: OwnedSemaphorePermit,
    ) -> Option<Body> {
        if body.is_end_stream() {
            rest.give_up();
            return None;
        }
        let (is_http2, stall) = (version == Version::HTTP_2, Stall::new(idle));
        let download = Self { body, is_http2, stall, trailers: None, rest, _place: place };
        Some(Body::new(download))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.rest.give_up();
    }
}

impl ChunkSource for Download {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, StreamError>>> {
        loop {
            if self.body.is_end_stream() {
                return Poll::Ready(None); // known from its length, before hyper has read on
            }
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(None) if self.is_http2 && !self.body.is_end_stream() => {
                    return Poll::Ready(Some(Err(StreamError::Interrupted)));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(_))) => {
                    return Poll::Ready(Some(Err(StreamError::Interrupted)));
                }
                Poll::Pending => {
                    ready!(self.stall.poll(cx));
                    return Poll::Ready(Some(Err(StreamError::Idle)));
                }
            };
            self.stall.moved();
            match frame.into_data() {
                Ok(data) if data.is_empty() => {}
                Ok(data) => return Poll::Ready(Some(Ok(data))),
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    // Past the contract's limits they are left out: the body before them is complete all the same.
                    self.trailers = wattle_http::encode_trailers(&trailers).ok().map(Bytes::from);
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
