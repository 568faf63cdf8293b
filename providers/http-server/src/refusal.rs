//! What a client is told when there is no answer of an actor: a status, a word, the request's id, and nothing of the inside.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use wattle_core::{CallId, ErrorKind};
use wattle_sdk::StreamError;

use crate::{body::Download, connection::Active};

/// Why a request has no answer of an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request contradicts itself, or HTTP.
    BadRequest,
    /// `CONNECT`: we are no proxy.
    NoTunnel,
    NoRoute,
    HeadTooLarge,
    BodyTooLarge,
    BodyStalled,
    /// The host sent what is not a response's head.
    BadAnswer,
    /// The call failed.
    Call(ErrorKind),
    /// The answer's body failed before its first byte.
    Body(StreamError),
}

/// Seconds after which a client that was turned away may come back.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

impl Refusal {
    /// The status, and the word that tells refusals of one status apart.
    fn said(&self) -> (StatusCode, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad-request"),
            Self::NoTunnel => (StatusCode::NOT_IMPLEMENTED, "no-tunnel"),
            Self::NoRoute => (StatusCode::NOT_FOUND, "no-route"),
            Self::HeadTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"),
            Self::BodyStalled => (StatusCode::REQUEST_TIMEOUT, "body-stalled"),
            Self::BadAnswer => (StatusCode::BAD_GATEWAY, "bad-answer"),
            Self::Call(kind) => of_kind(*kind),
            Self::Body(error) => of_kind(kind_of(error)),
        }
    }

    pub(crate) fn response(self, id: CallId, active: Active) -> Response<Download> {
        let (status, word) = self.said();
        let body = format!("{{\"error\":\"{word}\",\"request-id\":\"{id}\"}}\n");
        let mut response = Response::new(Download::whole(Bytes::from(body), active));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}

fn of_kind(kind: ErrorKind) -> (StatusCode, &'static str) {
    (wattle_http::status_of(kind), kind.as_str())
}

/// A stream that failed before it began is a call that did.
fn kind_of(error: &StreamError) -> ErrorKind {
    match error {
        StreamError::Lost | StreamError::Interrupted | StreamError::Cancelled => {
            ErrorKind::Interrupted
        }
        StreamError::Idle => ErrorKind::DeadlineExceeded,
        StreamError::TooLarge | StreamError::Failed(_) => ErrorKind::Failed,
    }
}
