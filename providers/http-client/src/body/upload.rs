//! The actor's body on its way out.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use wattle_sdk::{Body, Stall, StreamError};

/// Why a body ended early: the actor's doing, or its host's.
#[derive(Debug, thiserror::Error)]
#[error("the request's body broke off: {0}")]
pub(crate) struct UploadError(StreamError);

/// What hyper sends.
pub(crate) struct Upload {
    /// Shared with whoever takes the response: what is not sent when that has ended is given up, and hyper does not look at a body
    /// that its connection has no room for.
    rest: Rest,
    /// What stands behind a body that is all at hand.
    trailers: Option<Bytes>,
    stall: Stall,
}

/// What is still to be sent.
#[derive(Clone)]
pub(crate) struct Rest(Arc<Mutex<State>>);

enum State {
    Open(Body),
    /// All of it was sent, or there is none.
    Ended,
    /// Nobody reads on. What was sent of it must not look like all of it.
    GivenUp,
}

impl Rest {
    /// Tells the actor's host that nobody reads on.
    pub(crate) fn give_up(&self) {
        let mut state = self.state();
        if let State::Open(body) = &*state {
            *state = if body.remaining() == Some(0) { State::Ended } else { State::GivenUp };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Upload {
    pub(crate) fn new(mut body: Option<Body>, idle: Duration) -> Self {
        let at_hand = body.as_mut().filter(|body| body.is_full());
        let trailers = at_hand.and_then(Body::take_trailers);
        // An empty body is sent as none: a GET has no length.
        let body = body.filter(|body| body.remaining() != Some(0) || trailers.is_some());
        let state = body.map_or(State::Ended, State::Open);
        Self { rest: Rest(Arc::new(Mutex::new(state))), trailers, stall: Stall::new(idle) }
    }

    pub(crate) fn rest(&self) -> Rest {
        self.rest.clone()
    }
}

fn decoded(trailers: Bytes) -> Result<Frame<Bytes>, UploadError> {
    let failed = |text: String| UploadError(StreamError::Failed(text));
    let trailers = wattle_http::decode_trailers(&trailers);
    trailers.map(Frame::trailers).map_err(|error| failed(error.to_string()))
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let Self { rest, trailers, stall } = &mut *self;
        let mut state = rest.state();
        let stream = match &mut *state {
            State::Open(stream) => stream,
            State::Ended => return Poll::Ready(None),
            State::GivenUp => return Poll::Ready(Some(Err(UploadError(StreamError::Cancelled)))),
        };
        match stream.poll_chunk(cx) {
            Poll::Ready(Some(Ok(chunk))) => {
                stall.moved();
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
            Poll::Ready(Some(Err(error))) => {
                *state = State::GivenUp;
                Poll::Ready(Some(Err(UploadError(error))))
            }
            Poll::Ready(None) => {
                let trailers = trailers.take().or_else(|| stream.take_trailers());
                *state = State::Ended;
                Poll::Ready(trailers.map(decoded))
            }
            Poll::Pending => {
                ready!(stall.poll(cx));
                *state = State::GivenUp;
                Poll::Ready(Some(Err(UploadError(StreamError::Idle))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&*self.rest.state(), State::Ended)
    }

    /// A body that is all at hand goes out with its length, unless there are trailers behind it: HTTP/1.1 has none then.
    fn size_hint(&self) -> SizeHint {
        let state = self.rest.state();
        let body = match &*state {
            State::Open(body) => body,
            State::Ended => return SizeHint::with_exact(0),
            State::GivenUp => return SizeHint::default(),
        };
        let len = body.remaining().filter(|_| body.is_full() && self.trailers.is_none());
        len.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
