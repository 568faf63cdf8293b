//! The host's end: takes commands off its subject, a bounded number at once.

use std::{future::Future, sync::Arc};

use async_nats::{Message, Subscriber};
use bytes::Bytes;
use futures::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
};
use wattle_core::{HostKey, LatticeName, Subject, control::CONTROL_TOKEN_LEN_MAX};

use super::Refusal;
use crate::Lattice;

/// Commands under way at once; beyond it they are refused as overloaded, unseen.
const COMMANDS_MAX: usize = 64;
/// A reply subject: what we make ourselves is about 150 bytes.
const REPLY_LEN_MAX: usize = 256;

/// Takes commands until it is dropped. Those that run then still finish, and are answered.
#[must_use = "dropping it stops taking commands"]
#[derive(Debug)]
pub struct ControlServer {
    task: AbortHandle,
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lattice {
    /// Hands every command to `host` that arrives to `handler`, and what it returns back to who asked; `None` says nothing.
    /// At most 64 run at once, each token is at most [`CONTROL_TOKEN_LEN_MAX`] long. Survives the loss of NATS, and may be
    /// called before there is a connection. Must be called in a tokio runtime, which also runs the handlers.
    pub fn serve_control<F, Fut>(&self, host: HostKey, handler: F) -> ControlServer
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<String>> + Send + 'static,
    {
        let subject = Subject::Control { lattice: self.name().clone(), host };
        self.serve(subject.to_string(), handler)
    }

    /// The same for questions about applications, of whatever verb.
    pub fn serve_apps<F, Fut>(&self, handler: F) -> ControlServer
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<String>> + Send + 'static,
    {
        self.serve(Subject::all_apps(self.name()), handler)
    }

    fn serve<F, Fut>(&self, subject: String, handler: F) -> ControlServer
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<String>> + Send + 'static,
    {
        let lattice = self.clone();
        let serving = async move {
            // The client remembers the subscription and makes it again after each loss of the connection.
            match lattice.client().subscribe(subject).await {
                Ok(commands) => serve(lattice, commands, handler).await,
                Err(error) => tracing::error!(%error, "no commands are taken"),
            }
        };
        ControlServer { task: tokio::spawn(serving).abort_handle() }
    }
}

/// Never waits between two commands, however many come: what does not fit is refused, so the subscription does not fill.
async fn serve<F, Fut>(lattice: Lattice, mut commands: Subscriber, handler: F)
where
    F: Fn(String) -> Fut,
    Fut: Future<Output = Option<String>> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(COMMANDS_MAX));
    while let Some(message) = commands.next().await {
        let Some(asker) = Asker::of(lattice.name(), &message) else {
            lattice.counters().refused.count();
            continue;
        };
        match accept(message.payload, &room) {
            Ok((token, permit)) => {
                let lattice = lattice.clone();
                let answer = handler(token);
                tokio::spawn(async move {
                    if let Some(answer) = answer.await {
                        asker.answer(&lattice, answer).await;
                    }
                    drop(permit);
                });
            }
            Err(refusal) => {
                let counters = lattice.counters();
                match refusal {
                    Refusal::Overloaded => counters.overloaded.count(),
                    _ => counters.refused.count(),
                }
                lattice.try_publish(asker.0, Some(refusal.headers()), Bytes::new());
            }
        }
    }
}

fn accept(
    payload: Bytes,
    room: &Arc<Semaphore>,
) -> Result<(String, OwnedSemaphorePermit), Refusal> {
    if payload.len() > CONTROL_TOKEN_LEN_MAX {
        return Err(Refusal::TooLarge);
    }
    let token = String::from_utf8(payload.into()).map_err(|_| Refusal::Malformed)?;
    if token.is_empty() {
        return Err(Refusal::Malformed);
    }
    let permit = Arc::clone(room).try_acquire_owned().map_err(|_| Refusal::Overloaded)?;
    Ok((token, permit))
}

/// Where the answer goes.
struct Asker(String);

impl Asker {
    /// Only below a client's reply subject of this lattice: whoever sends a command must not make us publish, with our
    /// permissions, on JetStream's API or on another host's subject.
    fn of(lattice: &LatticeName, message: &Message) -> Option<Self> {
        let reply = message.reply.as_ref()?.as_str();
        is_reply_subject(lattice, reply).then(|| Self(reply.to_owned()))
    }

    async fn answer(self, lattice: &Lattice, answer: String) {
        let max = CONTROL_TOKEN_LEN_MAX.min(lattice.client().max_payload());
        if answer.len() > max {
            tracing::warn!(len = answer.len(), max, "an answer is too large to be sent");
            lattice.try_publish(self.0, Some(Refusal::AnswerTooLarge.headers()), Bytes::new());
        } else if let Err(error) = lattice.client().publish(self.0, answer.into()).await {
            tracing::warn!(%error, "an answer could not be sent");
        }
    }
}

fn is_reply_subject(lattice: &LatticeName, reply: &str) -> bool {
    const REPLY: &str = ".reply";
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if reply.len() > REPLY_LEN_MAX || !reply.bytes().all(plain) || reply.ends_with('.') {
        return false;
    }
    let Some(end) = reply.find(&format!("{REPLY}.")).map(|at| at + REPLY.len()) else {
        return false;
    };
    matches!(reply[..end].parse(), Ok(Subject::ClientReply { lattice: its, .. }) if its == *lattice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_clients_of_this_lattice_only() {
        let lattice: LatticeName = "shop".parse().expect("a name");
        let host = format!("N{}", "A".repeat(55));
        assert!(is_reply_subject(&lattice, "wattle.1.shop.client.abc.reply.X1.y2"));
        for bad in [
            "",
            "_INBOX.abc.def",
            "$JS.API.STREAM.DELETE.KV_wattle_shop_records",
            "wattle.1.shop.client.abc.reply",
            "wattle.1.shop.client.abc.reply.",
            "wattle.1.shop.client.abc.reply.>",
            "wattle.1.shop.client.abc.reply.*",
            "wattle.1.shop.client.*.reply.x",
            "wattle.1.other.client.abc.reply.x",
            &format!("wattle.1.shop.host.{host}.control"),
            &format!("wattle.1.shop.host.{host}.reply.x"),
            &format!("wattle.1.shop.client.abc.reply.{}", "x".repeat(300)),
        ] {
            assert!(!is_reply_subject(&lattice, bad), "{bad}");
        }
    }
}
