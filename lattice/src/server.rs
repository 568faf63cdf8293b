//! A nats-server of our own, for `wattle up` and for tests.

use std::path::{Path, PathBuf};

use crate::ConnectOptions;

/// Where nats-server is: `WATTLE_NATS_SERVER`, then `PATH`, then `wattle/bin` in the user's cache folder.
pub fn find_binary() -> Option<PathBuf> {
    unimplemented!()
}

/// How to start a nats-server.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// The binary; none: [`find_binary`].
    pub binary: Option<PathBuf>,
    /// The folder for its configuration, its JetStream, its log and its pid. One server per folder.
    pub dir: PathBuf,
    /// The port on loopback; none: the one it had in this folder before if that is free, else a free one.
    pub port: Option<u16>,
}

/// A running nats-server on loopback, which only those with its generated password may use.
///
/// Dropping it kills the server and reaps it, unless it was [detached](Self::detach). If this process itself is killed, the
/// server goes on: its pid stands in the folder, and [`NatsServer::attach`] finds it, to use it or to stop it.
pub struct NatsServer {}

/// What went wrong with a nats-server of ours.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// There is no binary.
    #[error(
        "there is no nats-server: install it (xtask/nats-server.sh does), or set WATTLE_NATS_SERVER"
    )]
    NotFound,
    /// One runs in this folder already.
    #[error("a nats-server runs in {dir} already, with pid {pid}")]
    AlreadyRunning {
        /// The folder.
        dir: PathBuf,
        /// The server.
        pid: u32,
    },
    /// It ended at once, or never answered.
    #[error("nats-server did not start: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
    /// The folder cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl NatsServer {
    /// Starts a server and returns when it answers.
    pub async fn start(options: ServerOptions) -> Result<Self, ServerError> {
        let _ = options;
        unimplemented!()
    }

    /// The server that was started in `dir`, by this process or by one that is no more, if it still runs.
    pub async fn attach(dir: &Path) -> Result<Option<Self>, ServerError> {
        let _ = dir;
        unimplemented!()
    }

    /// Leaves the server running when this handle is dropped.
    pub fn detach(self) {
        unimplemented!()
    }

    /// Its address, without credentials: `nats://127.0.0.1:4222`.
    pub fn url(&self) -> String {
        unimplemented!()
    }

    /// How to connect to it, credentials included.
    pub fn options(&self) -> ConnectOptions {
        unimplemented!()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        unimplemented!()
    }

    /// Its version, as it says: `2.10.27`.
    pub fn version(&self) -> &str {
        unimplemented!()
    }

    /// Where it logs.
    pub fn log(&self) -> PathBuf {
        unimplemented!()
    }

    /// Asks it to end, and kills it if it does not within 5 s.
    pub async fn stop(self) {
        unimplemented!()
    }

    /// Kills it at once, as a test does, and waits until it is gone. [`Self::restart`] starts it again.
    pub async fn kill(&mut self) {
        unimplemented!()
    }

    /// Starts it again after [`Self::kill`]: same folder, same port, same credentials.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        unimplemented!()
    }
}
