//! How long a request may go on without anything moving.
//!
//! Not how long it may take: a part of an upload is as slow as the line, and a line that is slow is no reason to fail.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpRequestBody};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// How long S3 may say nothing. It answers within tens of milliseconds; five seconds mean that it hangs.
const PATIENCE: Duration = Duration::from_secs(5);

/// The same where bytes go to S3: what the system has taken is on a slow line for a while, at 20 kB/s for thirteen seconds.
const SENDING_PATIENCE: Duration = Duration::from_secs(30);

/// The same where S3 has to put gigabytes together ahead of its answer: copies, and the ends of uploads.
const LONG_PATIENCE: Duration = Duration::from_secs(120);

/// Nothing moved for so long.
#[derive(Debug, thiserror::Error)]
#[error("nothing came for {0:?}")]
struct Silent(Duration);

fn silent(patience: Duration) -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, Silent(patience))
}

/// The patience that a request deserves.
pub(crate) fn of(request: &HttpRequest) -> Duration {
    let assembles = request.method() == http::Method::POST
        && request.uri().query().is_some_and(|query| query.contains("uploadId="));
    let copies = request.headers().contains_key("x-amz-copy-source");
    let sends = request.method() == http::Method::PUT && !request.body().is_empty();
    match () {
        () if assembles || copies => LONG_PATIENCE,
        () if sends => SENDING_PATIENCE,
        () => PATIENCE,
    }
}

/// When something last moved.
#[derive(Clone, Debug)]
pub(crate) struct Moved(Arc<Mutex<Instant>>);

impl Moved {
    pub(crate) fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn again(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends, with an error, once nothing has moved for so long.
    pub(crate) async fn until_silent(&self, patience: Duration) -> HttpError {
        loop {
            let end = self.last() + patience;
            if end <= Instant::now() {
                return silent(patience);
            }
            sleep_until(end).await;
        }
    }
}

/// A request's body, which says when a piece of it is taken.
pub(crate) struct Outgoing {
    pub(crate) body: HttpRequestBody,
    pub(crate) moved: Moved,
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        self.moved.again();
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body, which fails when nothing comes while somebody waits for it.
pub(crate) struct Incoming {
    body: hyper::body::Incoming,
    patience: Duration,
    /// There while somebody waits.
    silence: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    pub(crate) fn new(body: hyper::body::Incoming, patience: Duration) -> Self {
        Self { body, patience, silence: None }
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.silence = None;
            let broken = |error| HttpError::new(HttpErrorKind::Interrupted, error);
            return Poll::Ready(frame.map(|frame| frame.map_err(broken)));
        }
        let patience = self.patience;
        let silence = self.silence.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(silence.as_mut().poll(cx));
        Poll::Ready(Some(Err(silent(patience))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
