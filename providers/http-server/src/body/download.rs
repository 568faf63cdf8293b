//! An answer's body on its way to the client.

use std::{
    future::Future,
    mem,
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Version;
use http_body::{Body as HttpBody, Frame, SizeHint};
use wattle_sdk::{Body, Stall, StreamError};

use super::unread::InTime;
use crate::connection::Active;

/// The body of every response. While it is there, its connection is not idle.
pub(crate) struct Download {
    content: Content,
    _active: Active,
}

enum Content {
    /// All of it is at hand, so hyper sees its end together with its data.
    Whole { bytes: Bytes, trailers: Option<Bytes> },
    Stream {
        /// What was there together with the head.
        first: Option<Bytes>,
        body: Readable,
        stall: Stall,
    },
}

impl Download {
    /// A body that is all at hand.
    pub(crate) fn whole(bytes: Bytes, active: Active) -> Self {
        Self { content: Content::Whole { bytes, trailers: None }, _active: active }
    }

    /// The body of the host's reply, which may stand still for `idle`.
    ///
    /// # Errors
    /// It has broken off already. That has to be known ahead of the head: hyper gives up a connection whose body fails without
    /// sending the head that it wrote just before, and the client would see no answer at all.
    pub(crate) fn of(
        body: Option<Body>,
        version: Version,
        idle: Duration,
        active: Active,
    ) -> Result<Self, (StreamError, Active)> {
        let content = match body {
            None => Content::Whole { bytes: Bytes::new(), trailers: None },
            Some(body) if body.is_full() => at_hand(body),
            Some(mut body) => {
                let first = match body.poll_chunk(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(Some(Err(error))) => return Err((error, active)),
                    Poll::Ready(Some(Ok(chunk))) => Some(chunk),
                    Poll::Ready(None) | Poll::Pending => None,
                };
                let body = match version {
                    Version::HTTP_2 => Readable::InTime(InTime::new(body, idle)),
                    _ => Readable::AsItComes(body),
                };
                Content::Stream { first, body, stall: Stall::new(idle) }
            }
        };
        Ok(Self { content, _active: active })
    }

    /// Lets go of all content, of which nothing is to be sent; says how long it is, where that is known.
    pub(crate) fn leave_out(&mut self) -> Option<u64> {
        let len = self.size_hint().exact();
        self.content = Content::Whole { bytes: Bytes::new(), trailers: None };
        len
    }
}

/// A body that is streamed.
enum Readable {
    AsItComes(Body),
    InTime(InTime),
}

impl Readable {
    fn with<T>(&mut self, read: impl FnOnce(&mut Body) -> T) -> Result<T, StreamError> {
        match self {
            Self::AsItComes(body) => Ok(read(body)),
            Self::InTime(body) => body.with(read),
        }
    }
}

fn at_hand(mut body: Body) -> Content {
    let collected = pin!(body.collect(usize::MAX)).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(bytes)) = collected else {
        unreachable!("a full body neither waits nor fails");
    };
    Content::Whole { bytes, trailers: body.take_trailers() }
}

fn poll_stream(
    body: &mut Readable,
    stall: &mut Stall,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
    let polled = match body.with(|body| body.poll_chunk(cx)) {
        Ok(polled) => polled,
        Err(error) => return Poll::Ready(Some(Err(error))),
    };
    match polled {
        Poll::Ready(Some(chunk)) => {
            stall.moved();
            Poll::Ready(Some(chunk.map(Frame::data)))
        }
        Poll::Ready(None) => {
            let after = body.with(Body::take_trailers).ok().flatten();
            Poll::Ready(after.map(trailers))
        }
        Poll::Pending => {
            ready!(stall.poll(cx));
            Poll::Ready(Some(Err(StreamError::Idle)))
        }
    }
}

fn trailers(bytes: Bytes) -> Result<Frame<Bytes>, StreamError> {
    wattle_http::decode_trailers(&bytes)
        .map(Frame::trailers)
        .map_err(|error| StreamError::Failed(error.to_string()))
}

impl HttpBody for Download {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match &mut self.content {
            Content::Whole { bytes, trailers: after } if bytes.is_empty() => {
                Poll::Ready(after.take().map(trailers))
            }
            Content::Whole { bytes, .. } => Poll::Ready(Some(Ok(Frame::data(mem::take(bytes))))),
            Content::Stream { first, body, stall } => match first.take() {
                Some(chunk) => Poll::Ready(Some(Ok(Frame::data(chunk)))),
                None => poll_stream(body, stall, cx),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.content, Content::Whole { bytes, trailers: None } if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole { bytes, trailers: None } => SizeHint::with_exact(bytes.len() as u64),
            // There may be trailers, and HTTP/1.1 has none behind a body whose length was said.
            Content::Whole { trailers: Some(_), .. } | Content::Stream { .. } => {
                SizeHint::default()
            }
        }
    }
}
