//! An S3 server of the test's own, on a free port, gone with the test.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use wattle_core::link::Settings;

const KEY: &str = "test-key";
const SECRET: &str = "test-secret";

pub(crate) struct Server {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (child, port) = spawn(0, dir.path());
        Self { child, port, dir }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The settings of a link to it.
    pub(crate) fn settings(&self) -> Settings {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let all = [("endpoint", &*endpoint), ("access_key_id", KEY), ("secret_access_key", SECRET)];
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    /// Files of uploads in parts that nobody has ended: what S3 keeps unseen.
    pub(crate) fn unfinished(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path()).expect("a folder");
        let paths = entries.map(|entry| entry.expect("read").path());
        paths.filter(|path| file_name(path).starts_with(".upload_id-")).collect()
    }

    /// What a bucket's folder has.
    pub(crate) fn bucket(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
    }

    pub(crate) fn restart(&mut self) {
        (self.child, self.port) = spawn(self.port, self.dir.path());
    }

    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A server that listens, and its port; any free one for 0.
fn spawn(port: u16, dir: &Path) -> (Child, u16) {
    let mut child = Command::new(program())
        .arg(dir)
        .args([&port.to_string(), KEY, SECRET])
        .stdout(Stdio::piped())
        .spawn()
        .expect("`cargo build --workspace` has built the server");
    let mut said = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    stdout.read_line(&mut said).expect("it says where it listens");
    let port = said.trim().parse().expect("a server that listens says its port");
    (child, port)
}

/// Where cargo puts the workspace's programs, seen from its tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a running test");
    let profile = test.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST");
    profile.join("wattle-s3-server")
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
