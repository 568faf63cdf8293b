//! A Redis of the test's own, on a free port, gone with the test. What it acknowledges is on disk.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use redis::{AsyncConnectionConfig, aio::MultiplexedConnection};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::sleep;

/// How long a server may take to listen.
const START_WAIT: Duration = Duration::from_secs(60);

/// Between two looks at whether something has come.
pub(crate) const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// How long a command of the test itself may take.
const COMMAND_WAIT: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    child: Child,
    port: u16,
    arguments: Vec<&'static str>,
    dir: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(crate) async fn start_with(arguments: &[&'static str]) -> Self {
        let port = free_port();
        let dir = tempfile::tempdir().expect("a folder");
        let arguments = arguments.to_vec();
        let child = spawn(port, &arguments, &dir);
        let mut server = Self { child, port, arguments, dir };
        server.listening().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
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
        self.child = spawn(self.port, &self.arguments, &self.dir);
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

    /// What another user of the same Redis does, on a connection beside the provider's.
    pub(crate) async fn command<T: redis::FromRedisValue>(&self, command: &[&[u8]]) -> T {
        run(&mut self.connection().await, command).await
    }

    /// A connection of such a user, for one who asks often.
    pub(crate) async fn connection(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).expect("a good URL");
        let patient = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(COMMAND_WAIT))
            .set_response_timeout(Some(COMMAND_WAIT));
        let connection = client.get_multiplexed_async_connection_with_config(&patient).await;
        connection.expect("it is up")
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
                self.child = spawn(self.port, &self.arguments, &self.dir);
            } else if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return;
            }
            assert!(Instant::now() < end, "redis-server does not listen");
            sleep(LOOK_PAUSE).await;
        }
    }
}

/// Runs one command.
pub(crate) async fn run<T: redis::FromRedisValue>(
    connection: &mut MultiplexedConnection,
    command: &[&[u8]],
) -> T {
    let mut all = redis::Cmd::new();
    all.arg(command);
    all.query_async(connection).await.expect("a good command")
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

fn spawn(port: u16, arguments: &[&str], dir: &TempDir) -> Child {
    Command::new(installed("redis-server"))
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always"])
        .arg("--dir")
        .arg(dir.path())
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server starts")
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
