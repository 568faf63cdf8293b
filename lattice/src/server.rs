//! A nats-server of our own, for `wattle up` and for tests.
//!
//! Wattle never replaces NATS; where nobody points it to one, it runs the machine's `nats-server`: on loopback, on a free port, for
//! one generated user, with JetStream in a folder.

mod binary;
mod folder;
mod process;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep, timeout};

use wattle_core::LatticeName;

pub use self::binary::find_binary;
use self::{
    binary::{Version, version_of},
    folder::{Folder, State},
    process::Process,
};
use crate::{Auth, ConnectOptions, Lattice};

/// How long a new server may take until it answers. A slow disk with a large JetStream needs a while.
const READY_WAIT: Duration = Duration::from_secs(15);
/// Between two looks whether it answers.
const READY_POLL: Duration = Duration::from_millis(20);
/// How long a server may take to end when it is asked to.
const STOP_WAIT: Duration = Duration::from_secs(5);
/// How often another port is tried when somebody took the first one meanwhile.
const PORT_ATTEMPTS_MAX: usize = 5;

/// How to start a nats-server.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    /// The binary; none: [`find_binary`].
    pub binary: Option<PathBuf>,
    /// The folder for its configuration, its JetStream, its log and its pid. One server per folder.
    pub dir: PathBuf,
    /// The port on loopback; none: the one it had in this folder before if that is free, else a free one.
    pub port: Option<u16>,
    /// Whether the server is to outlive this process, as `wattle up -d` wants it. Otherwise the kernel kills it when this
    /// process dies, however it dies, where the `setpriv` command is there to say so (Linux with util-linux).
    pub outlive: bool,
}

/// A running nats-server on loopback, which only those with its generated password may use.
///
/// Dropping it kills the server, unless it is to [outlive](ServerOptions::outlive) us. Its pid stands in its folder, where
/// [`NatsServer::attach`] finds it later, to use it or to stop it.
#[derive(Debug)]
pub struct NatsServer {
    options: ServerOptions,
    folder: Folder,
    version: Version,
    state: State,
    process: Process,
}

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
    /// The wanted port belongs to somebody else.
    #[error("port {0} on 127.0.0.1 is taken")]
    PortTaken(u16),
    /// It ended at once, or never answered.
    #[error("nats-server did not start: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
    /// A file cannot be used.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl NatsServer {
    /// Starts a server and returns when it answers, JetStream included.
    pub async fn start(options: ServerOptions) -> Result<Self, ServerError> {
        let binary = options.binary.clone().or_else(find_binary).ok_or(ServerError::NotFound)?;
        let version = version_of(&binary).await?;
        let folder = Folder::create(&options.dir)?;
        if let Some(running) = Self::attach(&options.dir).await? {
            let pid = running.pid();
            running.leave();
            return Err(ServerError::AlreadyRunning { dir: options.dir, pid });
        }
        let mut state = folder.state().unwrap_or_else(State::generate);
        let options = ServerOptions { binary: Some(binary), ..options };
        let process = launch(&options, &folder, &version, &mut state).await?;
        Ok(Self { options, folder, version, state, process })
    }

    /// The server that runs in `dir`, whoever started it, if one does. It outlives this handle; [`Self::stop`] stops it.
    pub async fn attach(dir: &Path) -> Result<Option<Self>, ServerError> {
        let Some(folder) = Folder::open(dir) else { return Ok(None) };
        let Some(state) = folder.state() else { return Ok(None) };
        let Some(process) = state.pid.and_then(|pid| Process::attach(pid, &folder.config())) else {
            return Ok(None);
        };
        let options = ServerOptions {
            binary: process.binary(),
            dir: dir.to_owned(),
            port: Some(state.port),
            outlive: true,
        };
        let version = Version::unknown();
        Ok(Some(Self { options, folder, version, state, process }))
    }

    /// Its address, without credentials: `nats://127.0.0.1:4222`.
    pub fn url(&self) -> String {
        self.state.url()
    }

    /// How to connect to it, credentials included.
    pub fn options(&self) -> ConnectOptions {
        self.state.connect_options()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its version, as it says: `2.10.27`; empty if it was attached to.
    pub fn version(&self) -> &str {
        self.version.as_str()
    }

    /// Where it logs.
    pub fn log(&self) -> PathBuf {
        self.folder.log()
    }

    /// Asks it to end, and kills it if it has not within 5 s.
    pub async fn stop(mut self) {
        self.process.terminate();
        if timeout(STOP_WAIT, self.process.exited()).await.is_err() {
            self.process.kill();
            self.process.exited().await;
        }
        self.forget();
    }

    /// Kills it at once, as a test does, and waits until it is gone. [`Self::restart`] starts it again.
    pub async fn kill(&mut self) {
        self.process.kill();
        self.process.exited().await;
        self.forget();
    }

    /// Starts it again after [`Self::kill`]: same folder, same port, same credentials.
    pub async fn restart(&mut self) -> Result<(), ServerError> {
        self.kill().await;
        let options = ServerOptions { port: Some(self.state.port), ..self.options.clone() };
        self.process = launch(&options, &self.folder, &self.version, &mut self.state).await?;
        Ok(())
    }

    /// Lets it run on without this handle.
    pub fn leave(mut self) {
        self.options.outlive = true;
    }

    /// Its pid means nothing any more; its port and its credentials are for the next one.
    fn forget(&mut self) {
        self.state.pid = None;
        if let Err(error) = self.folder.keep(&self.state) {
            tracing::warn!(%error, "cannot write down that nats-server ended");
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if !self.options.outlive && !self.process.is_over() {
            self.process.kill_and_reap();
            self.forget();
        }
    }
}

/// Starts the process on some port and waits until it answers.
async fn launch(
    options: &ServerOptions,
    folder: &Folder,
    version: &Version,
    state: &mut State,
) -> Result<Process, ServerError> {
    for attempt in 1.. {
        state.port = match options.port {
            Some(port) if !folder::is_free(port) => return Err(ServerError::PortTaken(port)),
            Some(port) => port,
            None if attempt == 1 && folder::is_free(state.port) => state.port,
            None => folder::free_port(),
        };
        folder.configure(state, version)?;
        let binary = options.binary.as_deref().ok_or(ServerError::NotFound)?;
        let mut process = Process::spawn(binary, folder, !options.outlive)?;
        state.pid = Some(process.pid());
        folder.keep(state)?;
        match ready(&mut process, folder, state).await {
            Ok(()) => return Ok(process),
            Err(_)
                if options.port.is_none() && attempt < PORT_ATTEMPTS_MAX && process.is_over() =>
            {
                tracing::debug!(
                    port = state.port,
                    "nats-server did not start, trying another port"
                );
            }
            Err(error) => {
                process.kill_and_reap();
                return Err(error);
            }
        }
    }
    unreachable!("the last attempt returns")
}

/// Waits until the server answers somebody with its credentials, and its JetStream does too.
async fn ready(process: &mut Process, folder: &Folder, state: &State) -> Result<(), ServerError> {
    let deadline = Instant::now() + READY_WAIT;
    let name: LatticeName = "ready".parse().expect("a name");
    loop {
        let last = match Lattice::connect(name.clone(), &state.connect_options()).await {
            Ok(lattice) => match lattice.has_jetstream().await {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        if process.is_over() {
            return Err(ServerError::Failed { reason: folder.last_words() });
        }
        if Instant::now() >= deadline {
            return Err(ServerError::Failed { reason: last });
        }
        sleep(READY_POLL).await;
    }
}

impl State {
    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn connect_options(&self) -> ConnectOptions {
        ConnectOptions {
            servers: vec![self.url()],
            auth: Auth::UserPassword { user: self.user.clone(), password: self.password.clone() },
            ..ConnectOptions::default()
        }
    }
}
