//! A call's stream as a body that a guest reads: of a request that came in, or of the response to one that it sent.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::Frame;
use wasmtime_wasi_http::Error;
use wattle_wire::{Body, StreamError};

/// A body that a guest reads.
pub(crate) struct ReadBody(Option<Body>);

impl ReadBody {
    pub(crate) fn new(body: Option<Body>) -> Self {
        Self(body)
    }
}

impl http_body::Body for ReadBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(body) = &mut self.0 else { return Poll::Ready(None) };
        match ready!(body.poll_chunk(cx)) {
            Some(Ok(chunk)) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
            Some(Err(error)) => {
                self.0 = None;
                Poll::Ready(Some(Err(as_http(&error))))
            }
            None => {
                let trailers = body.take_trailers();
                self.0 = None;
                Poll::Ready(trailers.map(as_frame))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

fn as_frame(trailers: Bytes) -> Result<Frame<Bytes>, Error> {
    wattle_http::decode_trailers(&trailers)
        .map(Frame::trailers)
        .map_err(|_| Error::HttpProtocolError)
}

fn as_http(error: &StreamError) -> Error {
    match error {
        StreamError::TooLarge => Error::HttpRequestBodySize(None),
        StreamError::Idle => Error::ConnectionReadTimeout,
        StreamError::Lost | StreamError::Interrupted | StreamError::Cancelled => {
            Error::ConnectionTerminated
        }
        StreamError::Failed(_) => Error::HttpProtocolError,
    }
}
