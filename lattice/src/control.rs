//! Commands: one message to one host's own subject, one answer.

mod server;

use std::time::Duration;

use async_nats::{HeaderMap, RequestErrorKind};
use tokio::time::{Instant, sleep};
use wattle_core::{HostKey, Subject, control::CONTROL_TOKEN_LEN_MAX};

pub use self::server::ControlServer;
use crate::Lattice;

/// How long a command waits for the connection, when there is none just now.
const CONNECTION_WAIT: Duration = Duration::from_secs(2);
/// How long a host that is not there is looked for: it may be about to be back, as we are, after NATS was away.
const HOST_WAIT: Duration = Duration::from_millis(1_000);
/// Between two looks.
const HOST_POLL: Duration = Duration::from_millis(100);
/// The header of an answer that is no answer. It is not signed: a hint, nothing more.
const REFUSED: &str = "Wattle-Refused";

/// Why a host did not take a command, as far as an unsigned word goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many commands are under way there.
    Overloaded,
    /// The command is too large.
    TooLarge,
    /// The command is not text.
    Malformed,
    /// It may have run, but its answer is too large to be sent.
    AnswerTooLarge,
}

/// Why a command got no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// NATS is there, that host is not. The command did not run.
    #[error("host {0} is not on the lattice")]
    NoHost(HostKey),
    /// No answer in time. The command may have run, or may still.
    #[error("host {host} did not answer within {} ms", wait.as_millis())]
    TimedOut {
        /// Who was asked.
        host: HostKey,
        /// How long we waited.
        wait: Duration,
    },
    /// The command is larger than what one message carries. It was not sent.
    #[error("a command of {len} bytes is too large: at most {max}")]
    TooLarge {
        /// The token's length.
        len: usize,
        /// The most it may be.
        max: usize,
    },
    /// There is no connection to NATS. The command was not sent.
    #[error("there is no connection to NATS")]
    Disconnected,
    /// The host refused it before it looked at it.
    #[error("host {host} refuses the command: {}", refusal.reason())]
    Refused {
        /// Who was asked.
        host: HostKey,
        /// Why.
        refusal: Refusal,
    },
    /// What came back is not an answer: too large, or not text.
    #[error("host {0} answered with something that is no token")]
    Malformed(HostKey),
}

impl Refusal {
    fn word(self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::AnswerTooLarge => "answer-too-large",
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Overloaded => "too many commands are under way there",
            Self::TooLarge => "it is too large",
            Self::Malformed => "it is not text",
            Self::AnswerTooLarge => "its answer is too large to be sent",
        }
    }

    fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(REFUSED, self.word());
        headers
    }

    fn find(headers: Option<&HeaderMap>) -> Option<Self> {
        let word = headers?.get(REFUSED)?.as_str();
        let all = [Self::Overloaded, Self::TooLarge, Self::Malformed, Self::AnswerTooLarge];
        all.into_iter().find(|refusal| refusal.word() == word)
    }
}

impl Lattice {
    /// Sends a command and waits for the answer's token, which the caller verifies.
    ///
    /// Whatever the error says about having run, the same token may be sent again: a host runs a command's id once.
    ///
    /// # Cancel safety
    /// Dropping the future forgets the answer; the command may still run.
    pub async fn command(
        &self,
        host: &HostKey,
        token: &str,
        wait: Duration,
    ) -> Result<String, CommandError> {
        let started = Instant::now();
        let left = || wait.saturating_sub(started.elapsed());
        if !self.is_connected_within(wait.min(CONNECTION_WAIT)).await {
            return Err(CommandError::Disconnected);
        }
        let max = CONTROL_TOKEN_LEN_MAX.min(self.client().max_payload());
        if token.len() > max {
            return Err(CommandError::TooLarge { len: token.len(), max });
        }
        let looked_for_until = Instant::now() + HOST_WAIT;
        loop {
            match self.ask(host, token, left()).await {
                Err(CommandError::NoHost(_))
                    if Instant::now() < looked_for_until && left() > HOST_POLL =>
                {
                    sleep(HOST_POLL).await;
                }
                // Said in terms of what the caller asked for.
                Err(CommandError::TimedOut { host, .. }) => {
                    return Err(CommandError::TimedOut { host, wait });
                }
                answered => return answered,
            }
        }
    }

    async fn ask(
        &self,
        host: &HostKey,
        token: &str,
        wait: Duration,
    ) -> Result<String, CommandError> {
        let subject = Subject::Control { lattice: self.name().clone(), host: host.clone() };
        let request =
            async_nats::Request::new().payload(token.to_owned().into()).timeout(Some(wait));
        let sent = self.client().send_request(subject.to_string(), request).await;
        let answer = sent.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => CommandError::NoHost(host.clone()),
            RequestErrorKind::TimedOut => CommandError::TimedOut { host: host.clone(), wait },
            RequestErrorKind::MaxPayloadExceeded => {
                CommandError::TooLarge { len: token.len(), max: self.client().max_payload() }
            }
            RequestErrorKind::InvalidSubject | RequestErrorKind::Other => {
                CommandError::Disconnected
            }
        })?;
        if let Some(refusal) = Refusal::find(answer.headers.as_ref()) {
            return Err(CommandError::Refused { host: host.clone(), refusal });
        }
        let malformed = || CommandError::Malformed(host.clone());
        if answer.payload.is_empty() || answer.payload.len() > CONTROL_TOKEN_LEN_MAX {
            return Err(malformed());
        }
        String::from_utf8(answer.payload.into()).map_err(|_| malformed())
    }
}
