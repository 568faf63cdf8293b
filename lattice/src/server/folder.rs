//! The server's folder: its configuration, what we keep of it between runs, its store and its logs.

use std::{
    fs, io,
    io::{Read, Seek, SeekFrom, Write},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rand::{Rng, distr::Alphanumeric};
use serde::{Deserialize, Serialize};

use super::{ServerError, binary::Version};

/// Ports are chosen below those that the kernel gives to outgoing connections, so that none of these sits on the port while
/// the server is away.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// How many ports are looked at.
const PORT_LOOKS_MAX: usize = 200;
/// Letters and digits of a password: about 190 bits.
const PASSWORD_LEN: usize = 32;
/// Of what the server said last, quoted in an error.
const LAST_WORDS_LEN_MAX: u64 = 2_048;

/// The folder of one server.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

/// What is kept of a server: enough to find it, to connect to it, and to start it again as it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Its process, if it runs.
    pub(super) pid: Option<u32>,
    /// Its port on loopback.
    pub(super) port: u16,
    /// Its only user.
    pub(super) user: String,
    /// Their password.
    pub(super) password: String,
}

impl State {
    pub(super) fn generate() -> Self {
        let password = rand::rng().sample_iter(Alphanumeric).take(PASSWORD_LEN);
        Self {
            pid: None,
            port: free_port(),
            user: "wattle".to_owned(),
            password: password.map(char::from).collect(),
        }
    }
}

impl Folder {
    /// Makes the folder, for its owner alone.
    pub(super) fn create(path: &Path) -> Result<Self, ServerError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .and_then(|()| fs::canonicalize(path))
            .map(Self)
            .map_err(|source| ServerError::Io { path: path.to_owned(), source })
    }

    pub(super) fn open(path: &Path) -> Option<Self> {
        fs::canonicalize(path).ok().map(Self)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn config(&self) -> PathBuf {
        self.0.join("nats.conf")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.0.join("nats.log")
    }

    /// What the server says before it has a log, and when it panics.
    pub(super) fn errors(&self) -> PathBuf {
        self.0.join("nats.err")
    }

    fn state_file(&self) -> PathBuf {
        self.0.join("server.json")
    }

    /// What was kept of the server that was here before.
    pub(super) fn state(&self) -> Option<State> {
        serde_json::from_slice(&fs::read(self.state_file()).ok()?).ok()
    }

    pub(super) fn keep(&self, state: &State) -> Result<(), ServerError> {
        let text = serde_json::to_vec_pretty(state).expect("a state is JSON");
        write_secret(&self.state_file(), &text)
    }

    /// Writes the configuration. The paths in it are relative to the folder, which is the server's working directory: no
    /// character of a user's path can mean anything in it.
    pub(super) fn configure(&self, state: &State, version: &Version) -> Result<(), ServerError> {
        // JetStream acknowledges before it has synced, unless it is told otherwise: control state must survive a power cut.
        let sync = if version.syncs_always() { "sync_interval: always" } else { "" };
        let State { port, user, password, .. } = state;
        let text = format!(
            "# Written by wattle at each start.\n\
             host: \"127.0.0.1\"\n\
             port: {port}\n\
             server_name: \"wattle-{port}\"\n\
             log_file: \"nats.log\"\n\
             logfile_size_limit: 16MB\n\
             max_payload: 1MB\n\
             jetstream {{\n  store_dir: \"jetstream\"\n  {sync}\n}}\n\
             authorization {{\n  user: \"{user}\"\n  password: \"{password}\"\n}}\n"
        );
        write_secret(&self.config(), text.as_bytes())
    }

    /// What the server said last, for an error.
    pub(super) fn last_words(&self) -> String {
        let said = tail(&self.errors()).filter(|said| !said.trim().is_empty());
        let said = said.or_else(|| tail(&self.log())).unwrap_or_default();
        let lines: Vec<&str> = said.lines().rev().take(3).collect();
        let lines: Vec<&str> = lines.into_iter().rev().map(str::trim).collect();
        if lines.is_empty() { "it said nothing".to_owned() } else { lines.join("; ") }
    }
}

/// Replaces a file that only its owner may read; a reader sees the old or the new one.
fn write_secret(path: &Path, text: &[u8]) -> Result<(), ServerError> {
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let write = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(&fresh)?.write_all(text)?;
        fs::rename(&fresh, path)
    };
    write().map_err(|source| ServerError::Io { path: path.to_owned(), source })
}

fn tail(path: &Path) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let len = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(LAST_WORDS_LEN_MAX))).ok()?;
    let mut said = Vec::new();
    file.take(LAST_WORDS_LEN_MAX).read_to_end(&mut said).ok()?;
    Some(String::from_utf8_lossy(&said).into_owned())
}

/// A port on loopback that nobody listens on just now.
pub(super) fn free_port() -> u16 {
    let looked_at = (0..PORT_LOOKS_MAX).map(|_| rand::rng().random_range(PORTS));
    looked_at.into_iter().find(|port| is_free(*port)).unwrap_or(PORTS.start)
}

pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_for_its_owner_alone_and_survives() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::create(&dir.path().join("nats")).expect("made");
        let state = State { pid: Some(7), ..State::generate() };
        folder.keep(&state).expect("kept");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.state_file()), 0o600);
        let kept = folder.state().expect("kept");
        assert_eq!((kept.pid, kept.port, kept.password), (Some(7), state.port, state.password));
    }

    #[test]
    fn a_damaged_state_is_no_state() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = Folder::create(dir.path()).expect("made");
        fs::write(folder.state_file(), b"{\"pid\": -1").expect("written");
        assert!(folder.state().is_none());
    }
}
