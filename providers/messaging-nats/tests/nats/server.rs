//! A nats-server of the test's own, on free ports, gone with the test.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::sleep;

/// How long a server may take until it is healthy, JetStream included.
const START_WAIT: Duration = Duration::from_secs(60);

/// Between two looks at whether something has come.
pub(crate) const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// How long the monitor may take with one answer.
const MONITOR_WAIT: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    child: Child,
    port: u16,
    monitor: u16,
    dir: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts one with further lines of configuration. What JetStream acknowledges is on disk.
    pub(crate) async fn start_with(lines: &str) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (port, monitor) = (free_port(), free_port());
        let store = dir.path().join("store");
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{monitor}\"\n\
             jetstream {{ store_dir: {store:?}, sync_interval: always }}\n{lines}\n"
        );
        fs::write(dir.path().join("nats.conf"), text).expect("a file");
        let child = spawn(&dir);
        let mut server = Self { child, port, monitor, dir };
        server.healthy().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its process's number.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
    }

    pub(crate) async fn restart(&mut self) {
        self.child = spawn(&self.dir);
        self.healthy().await;
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

    /// A client beside the provider's, for what other users of the same NATS do.
    pub(crate) async fn client(&self) -> async_nats::Client {
        async_nats::connect(self.url()).await.expect("it is up")
    }

    /// How many clients are connected, and their subscriptions.
    pub(crate) fn clients(&self) -> (usize, u64) {
        let said = self.monitored("/connz").expect("it answers");
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        let clients = said["connections"].as_array().expect("a list");
        let subscriptions = clients.iter().filter_map(|client| client["subscriptions"].as_u64());
        (clients.len(), subscriptions.sum())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Waits until it serves. One that has ended, as its port was not free yet, is started again.
    async fn healthy(&mut self) {
        let end = Instant::now() + START_WAIT;
        loop {
            let ended = self.child.try_wait().expect("it is ours").is_some();
            if ended {
                self.child = spawn(&self.dir);
            } else if self.monitored("/healthz").is_some_and(|said| said.contains("\"ok\"")) {
                return;
            }
            assert!(Instant::now() < end, "nats-server does not get healthy");
            sleep(LOOK_PAUSE).await;
        }
    }

    fn monitored(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.monitor)).ok()?;
        stream.set_read_timeout(Some(MONITOR_WAIT)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports for servers, below those that the system gives to whoever asks for any: a server that was killed gets its own back.
const PORTS: std::ops::Range<u32> = 10_000..30_000;

/// A port that no other server of the tests has.
fn free_port() -> u16 {
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
    let log = fs::File::create(dir.path().join("nats.log")).expect("a file");
    Command::new(installed("nats-server"))
        .arg("-c")
        .arg(dir.path().join("nats.conf"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("nats-server starts")
}

/// A program of the machine, or of the user's cache, where `cargo xtask test` puts what is missing.
fn installed(name: &str) -> PathBuf {
    // Chosen where the one in the path is too old.
    let chosen = env::var_os("WATTLE_NATS_SERVER").filter(|_| name == "nats-server");
    if let Some(chosen) = chosen.filter(|path| !path.is_empty()) {
        return chosen.into();
    }
    let own = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(own);
    let cache = cache.map(|cache| cache.join("wattle/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).chain(cache).map(|dir| dir.join(name));
    places.find(|file| file.is_file()).expect("installed: `cargo xtask test` does it")
}
