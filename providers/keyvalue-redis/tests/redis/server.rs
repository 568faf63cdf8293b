//! A Redis of the test's own, on a free port, gone with the test.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How long a server may take to listen.
const START_WAIT: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    child: Child,
    port: u16,
    arguments: Vec<&'static str>,
    dir: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&'static str]) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let dir = tempfile::tempdir().expect("a folder");
        let arguments = arguments.to_vec();
        let child = spawn(port, &arguments, &dir);
        let server = Self { child, port, arguments, dir };
        server.listening();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it is ours");
    }

    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.port, &self.arguments, &self.dir);
        self.listening();
    }

    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// A connection beside the provider's, for what other users of the same Redis do.
    pub(crate) async fn command(&self, command: &[&str]) {
        let client = redis::Client::open(self.url()).expect("a good URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("it is up");
        let mut all = redis::cmd(command[0]);
        all.arg(&command[1..]);
        let _: redis::Value = all.query_async(&mut connection).await.expect("a good command");
    }

    /// Leaves Redis unable to save its data, whereupon it takes no more, nor answers a ping.
    pub(crate) async fn fail_to_save(&self) {
        fs::create_dir(self.dir.path().join("dump.rdb"))
            .expect("a folder where its file should be");
        self.command(&["CONFIG", "SET", "save", "3600 1"]).await;
        self.command(&["BGSAVE"]).await;
        let client = redis::Client::open(self.url()).expect("a good URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("it is up");
        let noticed = async {
            while let Ok(()) = redis::cmd("PING").query_async(&mut connection).await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(START_WAIT, noticed).await.expect("it cannot save");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    fn listening(&self) {
        let end = Instant::now() + START_WAIT;
        while let Err(error) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            assert!(Instant::now() < end, "redis-server does not listen");
            std::thread::yield_now();
        }
    }
}

fn spawn(port: u16, arguments: &[&str], dir: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .arg("--dir")
        .arg(dir.path())
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
