//! One link's way to NATS for an actor that sends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{PublishErrorKind, Request, RequestErrorKind};
use wattle_messaging::{Broker, BrokerMessage, Failure, Kind, Outgoing};

use crate::{
    connection::{Broken, Connection},
    server::Server,
    settings::is_subject,
    stream::{Kept, forbidden, interrupted},
};

/// What is left of a call's deadline for the way back of an answer that came at the last moment.
const WAY_BACK: Duration = Duration::from_millis(50);

/// A NATS as one link sends to it.
pub(crate) struct NatsBroker {
    server: Arc<Server>,
    /// The stream that has to keep what is published, if one has to.
    stream: Option<String>,
}

impl NatsBroker {
    pub(crate) fn new(server: Arc<Server>, stream: Option<String>) -> Self {
        Self { server, stream }
    }
}

impl Broker for NatsBroker {
    async fn publish(&self, message: Outgoing<'_>, deadline: Instant) -> Result<(), Failure> {
        let Outgoing { subject, body, reply_to } = message;
        check(subject)?;
        reply_to.map_or(Ok(()), check)?;
        let connection = self.server.connection()?;
        check_len(&connection, body.len())?;
        let wait = deadline.saturating_duration_since(Instant::now()).saturating_sub(WAY_BACK);
        if let Some(stream) = &self.stream {
            if reply_to.is_some() {
                let text = "a stream's messages have no reply-to: JetStream answers there itself";
                return Err(Failure::new(Kind::Invalid, text));
            }
            return Kept::for_stream(subject, body, stream).publish(&connection, wait).await;
        }
        let (client, began) = (connection.client(), Instant::now());
        let sent = connection.run(wait, async {
            match reply_to {
                Some(reply_to) => {
                    client
                        .publish_with_reply(subject.to_owned(), reply_to.to_owned(), body)
                        .await?;
                }
                None => client.publish(subject.to_owned(), body).await?,
            }
            connection.confirmed().await;
            Ok::<_, async_nats::PublishError>(())
        });
        match sent.await {
            _ if connection.is_forbidden(subject, began) => Err(forbidden(subject)),
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(publish_failed(subject, &error)),
            Err(Broken::Late) => Err(interrupted(subject, "no answer in time")),
            Err(Broken::Lost(reason)) => Err(interrupted(subject, &self.server.says(&reason))),
        }
    }

    async fn request(
        &self,
        message: Outgoing<'_>,
        wait: Duration,
    ) -> Result<BrokerMessage<'static>, Failure> {
        let Outgoing { subject, body, .. } = message;
        check(subject)?;
        let connection = self.server.connection()?;
        check_len(&connection, body.len())?;
        let (client, began) = (connection.client(), Instant::now());
        // An inbox of its own: the client never forgets a request that shares one and is not answered.
        let request = Request::new().payload(body).inbox(client.new_inbox()).timeout(None);
        match connection.run(wait, client.send_request(subject.to_owned(), request)).await {
            Ok(Ok(answer)) => Ok(answered(answer)),
            Ok(Err(error)) => Err(request_failed(subject, &error)),
            Err(_) if connection.is_forbidden(subject, began) => Err(forbidden(subject)),
            Err(Broken::Late) => {
                Err(Failure::new(Kind::Timeout, format!("no answer to {subject} within {wait:?}")))
            }
            Err(Broken::Lost(reason)) => Err(interrupted(subject, &self.server.says(&reason))),
        }
    }
}

fn answered(answer: async_nats::Message) -> BrokerMessage<'static> {
    BrokerMessage {
        subject: String::from(answer.subject.as_str()).into(),
        body: Vec::from(answer.payload).into(),
        reply_to: answer.reply.map(|reply| reply.as_str().to_owned()),
    }
}

fn check(subject: &str) -> Result<(), Failure> {
    if is_subject(subject) {
        return Ok(());
    }
    let text =
        format!("{subject:?} is no subject to send to: parts with dots between, no wildcards");
    Err(Failure::new(Kind::Invalid, text))
}

/// The server would break the connection that all its links share.
fn check_len(connection: &Connection, len: usize) -> Result<(), Failure> {
    let max = connection.client().max_payload();
    if len > max {
        let text = format!("body of {len} bytes, the server's limit is {max} (max_payload)");
        return Err(Failure::new(Kind::TooLarge, text));
    }
    Ok(())
}

fn publish_failed(subject: &str, error: &async_nats::PublishError) -> Failure {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => Failure::new(Kind::TooLarge, error.to_string()),
        PublishErrorKind::InvalidSubject => Failure::new(Kind::Invalid, error.to_string()),
        PublishErrorKind::Send => interrupted(subject, "the connection broke"),
    }
}

fn request_failed(subject: &str, error: &async_nats::RequestError) -> Failure {
    match error.kind() {
        RequestErrorKind::NoResponders => {
            Failure::new(Kind::NoResponders, format!("nobody listens to {subject}"))
        }
        RequestErrorKind::TimedOut => {
            Failure::new(Kind::Timeout, format!("no answer to {subject} in time"))
        }
        RequestErrorKind::MaxPayloadExceeded => Failure::new(Kind::TooLarge, error.to_string()),
        RequestErrorKind::InvalidSubject => Failure::new(Kind::Invalid, error.to_string()),
        RequestErrorKind::Other => interrupted(subject, "the connection broke"),
    }
}
