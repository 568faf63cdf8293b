//! A message that is given up goes to another subject, with the reason, before its stream forgets it.

use std::{sync::Arc, time::Duration};

use async_nats::{HeaderMap, jetstream};
use wattle_messaging::{Failure, Kind};

use crate::{connection::Connection, stream::Kept};

/// How long the stream of dead messages may take to keep one.
const KEEP_WAIT: Duration = Duration::from_secs(5);

/// The most characters of a reason: what an actor says goes into a header.
const REASON_LEN_MAX: usize = 1_024;

/// Headers that NATS gives a meaning; they were for the first stream.
const NATS_OWN: &str = "Nats-";

/// Publishes a message to the subject for dead ones, once however often it is tried, and waits until a stream has kept it.
pub(crate) async fn publish(
    connection: &Arc<Connection>,
    subject: &str,
    message: &jetstream::Message,
    reason: &str,
) -> Result<(), Failure> {
    let info = message.info().map_err(|error| Failure::new(Kind::Invalid, error.to_string()))?;
    let id = format!(
        "{}.{}.{}.{}",
        info.stream,
        info.consumer,
        info.stream_sequence,
        info.published.unix_timestamp_nanos()
    );
    let why = |mut headers: HeaderMap| {
        headers.insert("Wattle-Dead-Reason", one_line(reason));
        headers.insert("Wattle-Dead-Subject", message.subject.as_str());
        headers.insert("Wattle-Dead-Stream", info.stream);
        headers.insert("Wattle-Dead-Sequence", info.stream_sequence.to_string());
        headers.insert("Wattle-Dead-Deliveries", info.delivered.to_string());
        headers
    };
    let body = || message.payload.clone();
    let kept = |headers| Kept::once(subject, body(), why(headers), &id);
    // The body is what matters: without its own headers it may still fit, and without any it does.
    let bare = Kept { subject, body: body(), headers: HeaderMap::new() };
    let mut published = Ok(());
    for attempt in [kept(own_headers(message)), kept(HeaderMap::new()), bare] {
        published = attempt.publish(connection, KEEP_WAIT).await;
        if !matches!(&published, Err(failure) if failure.kind == Kind::TooLarge) {
            break;
        }
    }
    published
}

fn own_headers(message: &jetstream::Message) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, values) in message.headers.iter().flat_map(HeaderMap::iter) {
        let text: &str = name.as_ref();
        if !text.get(..NATS_OWN.len()).is_some_and(|head| head.eq_ignore_ascii_case(NATS_OWN)) {
            values.iter().for_each(|value| kept.append(name.clone(), value.clone()));
        }
    }
    kept
}

/// A header's value ends with its line.
fn one_line(reason: &str) -> String {
    reason.chars().take(REASON_LEN_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_cannot_add_headers_of_its_own() {
        assert_eq!(one_line("a\r\nNats-Msg-Id: x"), "a  Nats-Msg-Id: x");
        assert_eq!(one_line(&"ä".repeat(5_000)).chars().count(), REASON_LEN_MAX);
    }
}
