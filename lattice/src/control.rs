//! Commands: one message to one host's own subject, one answer.

use std::time::Duration;

use wattle_core::HostKey;

use crate::Lattice;

/// Takes commands until it is dropped.
#[must_use = "dropping it stops taking commands"]
pub struct ControlServer {}

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
    /// What came back is not an answer: too large, or not text.
    #[error("host {0} answered with something that is no token")]
    Malformed(HostKey),
}

impl Lattice {
    /// Hands every command to `host` that arrives to `handler`, and what it returns back to who asked; `None` says nothing.
    /// At most 64 run at once, each token is at most [`wattle_core::control::CONTROL_TOKEN_LEN_MAX`] long. Survives the loss of
    /// NATS, and may be called before there is a connection.
    pub fn serve_control<F, Fut>(&self, host: HostKey, handler: F) -> ControlServer
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<String>> + Send + 'static,
    {
        let _ = (host, handler);
        unimplemented!()
    }

    /// Sends a command and waits for the answer's token, which the caller verifies.
    ///
    /// # Cancel safety
    /// Dropping the future forgets the answer; the command may still run.
    pub async fn command(
        &self,
        host: &HostKey,
        token: &str,
        wait: Duration,
    ) -> Result<String, CommandError> {
        let _ = (host, token, wait);
        unimplemented!()
    }
}
