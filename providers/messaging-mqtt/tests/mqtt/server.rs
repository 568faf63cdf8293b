//! A Mosquitto of the test's own, on a free port, gone with the test. What it has acknowledged is on disk after its next step.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::rounds::sockets;

/// How long a broker may take to listen.
const START_WAIT: Duration = Duration::from_secs(60);

/// Between two looks at whether something has come.
pub(crate) const LOOK_PAUSE: Duration = Duration::from_millis(20);

pub(crate) struct Server {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with("allow_anonymous true").await
    }

    /// Starts one with further lines of configuration. It writes down all that it has after each step in which something changed.
    pub(crate) async fn start_with(lines: &str) -> Self {
        let (port, dir) = (free_port(), tempfile::tempdir().expect("a folder"));
        let place = dir.path().display();
        let text = format!(
            "listener {port} 127.0.0.1\nuser root\nlog_dest none\nset_tcp_nodelay true\n\
             persistence true\npersistence_location {place}/\nautosave_on_changes true\n\
             autosave_interval 1\nmax_queued_messages 0\n{lines}\n"
        );
        fs::write(dir.path().join("mosquitto.conf"), text).expect("a file");
        let child = spawn(&dir);
        let mut server = Self { child, port, dir };
        server.listening().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Kills it, and says until when all that it had acknowledged is on disk. It acknowledges first and writes then, in one thread: what
    /// was acknowledged before it last began to write is written.
    pub(crate) fn kill(&mut self) -> SystemTime {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
        let written = fs::metadata(self.dir.path().join("mosquitto.db"));
        written.and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.dir);
        self.listening().await;
    }

    /// Stops it, and returns when the last of its threads stands still.
    pub(crate) async fn freeze(&self) {
        self.signal(Signal::STOP);
        let threads = format!("/proc/{}/task", self.child.id());
        let stands_still = |thread: fs::DirEntry| {
            let said = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            said.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        };
        while !fs::read_dir(&threads).expect("it runs").flatten().all(stands_still) {
            sleep(LOOK_PAUSE).await;
        }
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Sockets that it has: one for each connection, and the one that it listens on.
    pub(crate) fn clients(&self) -> usize {
        sockets(self.child.id())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits until it listens. One that has ended, as its port was not free yet, is started again.
    async fn listening(&mut self) {
        let end = Instant::now() + START_WAIT;
        loop {
            let ended = self.child.try_wait().expect("it is ours").is_some();
            if ended {
                self.child = spawn(&self.dir);
            } else if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return;
            }
            assert!(Instant::now() < end, "mosquitto does not listen");
            sleep(LOOK_PAUSE / 4).await;
        }
    }
}

/// Ports for servers, below those that the system gives to whoever asks for any: a server that was killed gets its own back.
const PORTS: std::ops::Range<u32> = 10_000..30_000;

/// A port that no other server of the tests has.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(131) + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + number % (PORTS.end - PORTS.start);
        let port = u16::try_from(port).expect("below 30,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

fn spawn(dir: &TempDir) -> Child {
    Command::new(installed("mosquitto"))
        .arg("-c")
        .arg(dir.path().join("mosquitto.conf"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto starts")
}

/// A program of the machine, or of the user's cache, where `cargo xtask test` puts what is missing.
fn installed(name: &str) -> PathBuf {
    let own = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(own);
    let cache = cache.map(|cache| cache.join("wattle/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).chain(cache).map(|dir| dir.join(name));
    places.find(|file| file.is_file()).expect("installed: `cargo xtask test` does it")
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
