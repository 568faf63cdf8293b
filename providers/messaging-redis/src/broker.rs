//! One link's way to Redis for an actor that sends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use redis::{Cmd, cmd};
use tokio::time::timeout;
use wattle_messaging::{Broker, BrokerMessage, Failure, Kind, Outgoing};

use crate::{
    entry::{BODY, REPLY_TO_FIELD, payload},
    inbox::INBOX,
    server::Server,
};

/// What is left of a call's deadline for the way back of an answer that came at the last moment.
const WAY_BACK: Duration = Duration::from_millis(50);

/// A Redis as one link sends to it.
pub(crate) struct RedisBroker {
    server: Arc<Server>,
    into: Into,
}

/// What a link's messages go into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Into {
    Channels,
    /// Streams with about so many entries at most; 0: no limit.
    Streams {
        max_len: u64,
    },
}

impl RedisBroker {
    pub(crate) fn new(server: Arc<Server>, into: Into) -> Self {
        Self { server, into }
    }

    /// The command that sends a message, and whether Redis answers how many have got it.
    fn command(&self, subject: &str, body: &[u8], reply_to: Option<&str>) -> (Cmd, bool) {
        match self.into {
            Into::Streams { max_len } if !subject.starts_with(INBOX) => {
                let mut fields = vec![(BODY, body)];
                fields.extend(reply_to.map(|reply_to| (REPLY_TO_FIELD, reply_to.as_bytes())));
                (add(subject, max_len, &fields), false)
            }
            _ => {
                let mut publish = cmd("PUBLISH");
                publish.arg(subject).arg(payload(body, reply_to));
                (publish, true)
            }
        }
    }

    /// Sends a message; how many have got it, where Redis knows.
    async fn send(
        &self,
        message: &Outgoing<'_>,
        reply_to: Option<&str>,
    ) -> Result<Option<u64>, Failure> {
        let (command, counts) = self.command(message.subject, &message.body, reply_to);
        if counts {
            return self.server.send(&command).await.map(Some);
        }
        let _id: String = self.server.send(&command).await?;
        Ok(None)
    }
}

/// Adds an entry to a stream, which keeps about `max_len`.
pub(crate) fn add(key: &str, max_len: u64, fields: &[(&str, &[u8])]) -> Cmd {
    let mut add = cmd("XADD");
    add.arg(key);
    if max_len > 0 {
        add.arg("MAXLEN").arg("~").arg(max_len);
    }
    add.arg("*");
    for (name, value) in fields {
        add.arg(*name).arg(*value);
    }
    add
}

impl Broker for RedisBroker {
    async fn publish(&self, message: Outgoing<'_>, deadline: Instant) -> Result<(), Failure> {
        let wait = deadline.saturating_duration_since(Instant::now()).saturating_sub(WAY_BACK);
        match timeout(wait, self.send(&message, message.reply_to)).await {
            Ok(sent) => sent.map(drop),
            Err(_) => Err(Failure::new(Kind::Interrupted, self.server.says("no answer in time"))),
        }
    }

    async fn request(
        &self,
        message: Outgoing<'_>,
        wait: Duration,
    ) -> Result<BrokerMessage<'static>, Failure> {
        let subject = message.subject;
        let away = || Failure::new(Kind::Unavailable, self.server.says("answers cannot come in"));
        let mut waiting = self.server.inbox.wait().ok_or_else(away)?;
        let channel = waiting.channel.clone();
        let answered = async {
            if self.send(&message, Some(&channel)).await? == Some(0) {
                let text = format!("nobody listens to {subject}");
                return Err(Failure::new(Kind::NoResponders, text));
            }
            tokio::select! {
                answer = waiting.answer() => Ok(answer),
                () = self.server.lost() => {
                    Err(Failure::new(Kind::Interrupted, self.server.says("the connection broke")))
                }
            }
        };
        timeout(wait, answered).await.unwrap_or_else(|_| {
            Err(Failure::new(Kind::Timeout, format!("no answer to {subject} within {wait:?}")))
        })
    }
}
