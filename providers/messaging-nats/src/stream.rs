//! Publishing into a stream: a request whose answer says that JetStream has kept the message.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{
    HeaderMap, Request, RequestErrorKind,
    header::{NATS_EXPECTED_STREAM, NATS_MESSAGE_ID},
};
use bytes::Bytes;
use serde_json::Value;
use wattle_messaging::{Failure, Kind};

use crate::connection::{Broken, Connection};

/// A message for a stream.
pub(crate) struct Kept<'a> {
    pub(crate) subject: &'a str,
    pub(crate) body: Bytes,
    pub(crate) headers: HeaderMap,
}

impl<'a> Kept<'a> {
    /// A message that only this stream may keep.
    pub(crate) fn for_stream(subject: &'a str, body: Bytes, stream: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_STREAM, stream);
        Self { subject, body, headers }
    }

    /// A message that its stream keeps once, however often it is published under this id.
    pub(crate) fn once(subject: &'a str, body: Bytes, mut headers: HeaderMap, id: &str) -> Self {
        headers.insert(NATS_MESSAGE_ID, id);
        Self { subject, body, headers }
    }

    /// Publishes it and waits until it is kept: on disk, if the server is told so (`sync_interval: always`).
    pub(crate) async fn publish(
        self,
        connection: &Arc<Connection>,
        wait: Duration,
    ) -> Result<(), Failure> {
        let Self { subject, body, headers } = self;
        let request = Request::new().headers(headers).payload(body).timeout(None);
        let began = Instant::now();
        let asked = connection.client().send_request(subject.to_owned(), request);
        match connection.run(wait, asked).await {
            Ok(Ok(answer)) => acknowledged(subject, &answer.payload),
            Ok(Err(error)) => Err(request_failed(subject, &error)),
            Err(_) if connection.is_forbidden(subject, began) => Err(forbidden(subject)),
            Err(Broken::Late) => {
                let text = format!("no acknowledgement of {subject} in time: it may be kept");
                Err(Failure::new(Kind::Interrupted, text))
            }
            Err(Broken::Lost(reason)) => Err(interrupted(subject, &reason)),
        }
    }
}

fn request_failed(subject: &str, error: &async_nats::RequestError) -> Failure {
    match error.kind() {
        RequestErrorKind::NoResponders => {
            Failure::new(Kind::Failed, format!("no stream keeps the subject {subject}"))
        }
        RequestErrorKind::MaxPayloadExceeded => Failure::new(Kind::TooLarge, error.to_string()),
        RequestErrorKind::InvalidSubject => Failure::new(Kind::Invalid, error.to_string()),
        _ => Failure::new(Kind::Interrupted, format!("{subject}: {error}")),
    }
}

pub(crate) fn forbidden(subject: &str) -> Failure {
    let text = format!("the server lets this login not publish to {subject}");
    Failure::new(Kind::Denied, text)
}

pub(crate) fn interrupted(subject: &str, reason: &str) -> Failure {
    Failure::new(Kind::Interrupted, format!("{reason}, {subject} may have been sent"))
}

/// What JetStream answers: `{"stream": …, "seq": …}`, or `{"error": {"code": …, "description": …}}`.
fn acknowledged(subject: &str, answer: &[u8]) -> Result<(), Failure> {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let error = &answer["error"];
    if answer["seq"].is_u64() && error.is_null() {
        return Ok(());
    }
    let Some(description) = error["description"].as_str() else {
        let text = format!("{subject} was answered, but not by a stream");
        return Err(Failure::new(Kind::Failed, text));
    };
    Err(Failure::new(Kind::Failed, format!("{subject} was not kept: {description}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_acknowledgement_is_one() {
        assert_eq!(acknowledged("s", br#"{"stream":"S","seq":7}"#), Ok(()));
        for other in [&b""[..], b"hello", b"{}", br#"{"error":{"code":503,"description":"away"}}"#]
        {
            let failure = acknowledged("s", other).expect_err("not kept");
            assert_eq!(failure.kind, Kind::Failed, "{failure}");
        }
    }
}
