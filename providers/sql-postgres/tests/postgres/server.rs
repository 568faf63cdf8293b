//! A PostgreSQL of the test's own, on a free port, gone with the test.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};
use wattle_core::link::Settings;

/// How long a server may take to answer: mending what a kill left included.
const START_WAIT: Duration = Duration::from_secs(30);

/// How long a server may take to end in order. It kills what does not end by itself after 5 s.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Between two looks at whether something is so.
const TICK: Duration = Duration::from_millis(10);

/// The password of the server's only user, `postgres`.
pub(crate) const PASSWORD: &str = "richtig";

/// What tells the provider's connections from the tests' own.
pub(crate) const APPLICATION: &str = "under-test";

/// Tests that run at once make the folder that all copy only once.
static TEMPLATE: Mutex<()> = Mutex::new(());

pub(crate) struct Server {
    child: Child,
    port: u16,
    arguments: Vec<String>,
    dir: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[], &[]).await
    }

    /// Starts a server with settings of its own, and files in its folder.
    pub(crate) async fn start_with(settings: &[&str], files: &[(&str, &str)]) -> Self {
        let port = free_port();
        let dir = tempfile::tempdir().expect("a folder");
        run(Command::new("cp").arg("-a").arg(template()).arg(dir.path().join("data")));
        for (name, text) in files {
            let path = dir.path().join("data").join(name);
            fs::write(&path, text).expect("a file");
            run(Command::new("chmod").arg("600").arg(path));
        }
        let arguments: Vec<_> =
            settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]).collect();
        let child = spawn(port, &arguments, dir.path());
        let mut server = Self { child, port, arguments, dir };
        server.answering(true).await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
    }

    /// A link's settings for this server, with some more.
    pub(crate) fn settings(&self, more: &[(&str, &str)]) -> Settings {
        let url = self.url();
        let all = [("url", url.as_str()), ("application_name", APPLICATION)];
        all.iter().chain(more).map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    /// A connection beside the provider's.
    pub(crate) async fn client(&self) -> Client {
        self.connect().await.expect("it is up")
    }

    /// Connects through the socket in this server's folder: another test's server may have taken its port.
    async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.dir.path()).port(self.port).user("postgres").password(PASSWORD);
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// What it has written to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("a log")
    }

    /// Kills all of its processes at once, as a power cut does.
    pub(crate) fn kill(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.freeze();
            self.signal_all(Signal::KILL);
        }
        let _ = self.child.wait();
    }

    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.port, &self.arguments, self.dir.path());
        self.answering(false).await;
    }

    /// Stops all of its processes, the first one first, so that none is added meanwhile.
    pub(crate) fn freeze(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).expect("it runs");
        self.signal_all(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.signal_all(Signal::CONT);
    }

    fn signal_all(&self, signal: Signal) {
        for process in self.processes() {
            let _ = kill_process(process, signal); // one that has just ended is no failure
        }
    }

    /// The first process and its children, which lead process groups of their own.
    fn processes(&self) -> Vec<Pid> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.unwrap_or_default();
        let ids =
            children.split_whitespace().filter_map(|id| id.parse().ok().and_then(Pid::from_raw));
        std::iter::once(Pid::from_child(&self.child)).chain(ids).collect()
    }

    /// Waits until it takes logins. A killed one's children may still hold its memory, which ends the next one at once, and so does
    /// a port that somebody else has taken.
    async fn answering(&mut self, is_new: bool) {
        let end = Instant::now() + START_WAIT;
        while self.connect().await.is_err() {
            assert!(Instant::now() < end, "postgres does not answer");
            if self.child.try_wait().expect("it is ours").is_some() {
                self.port = if is_new { free_port() } else { self.port };
                self.child = spawn(self.port, &self.arguments, self.dir.path());
            }
            tokio::time::sleep(TICK).await;
        }
    }
}

/// It ends in order where it can, so that none of its shared memory is left in the system.
impl Drop for Server {
    fn drop(&mut self) {
        self.thaw();
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::QUIT);
        }
        let end = Instant::now() + STOP_WAIT;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            std::thread::park_timeout(TICK);
        }
        self.kill();
    }
}

fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    free.local_addr().expect("an address").port()
}

/// Waits until something is so, at most for so long.
pub(crate) async fn until(wait: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < wait, "{what}: not within {wait:?}");
        tokio::time::sleep(TICK).await;
    }
    println!("{what}: after {:?}", began.elapsed());
}

/// How many of the provider's connections there are, and how many run something.
pub(crate) async fn connections(client: &Client) -> (i64, i64) {
    let count = "SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity WHERE application_name = $1";
    let row = client.query_one(count, &[&APPLICATION]).await.expect("it is up");
    (row.get(0), row.get(1))
}

/// How many of the provider's connections wait in `pg_sleep`.
pub(crate) async fn sleeping(client: &Client) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'PgSleep'";
    client.query_one(count, &[&APPLICATION]).await.expect("it is up").get(0)
}

/// A folder as `initdb` makes it, made once and kept with what cargo builds.
fn template() -> PathBuf {
    let _one_at_a_time = TEMPLATE.lock().expect("no test panics with it");
    let ready = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres-template-1");
    if ready.exists() {
        return ready;
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let (data, password) = (dir.path().join("data"), dir.path().join("password"));
    fs::write(&password, PASSWORD).expect("a file");
    let mut initdb = as_a_user("initdb");
    initdb.args(["--username", "postgres", "--auth", "scram-sha-256", "--encoding", "UTF8"]);
    initdb
        .args(["--locale", "C", "--no-sync", "--pwfile"])
        .arg(password)
        .arg("--pgdata")
        .arg(&data);
    run(&mut initdb);
    // Another test process may have been faster.
    let _ = fs::rename(&data, &ready);
    ready
}

fn spawn(port: u16, arguments: &[String], dir: &Path) -> Child {
    let (sockets, log) = (dir.to_str().expect("a plain path"), dir.join("log"));
    let log = fs::File::options().create(true).append(true).open(log).expect("a log");
    as_a_user("postgres")
        .arg("-D")
        .arg(dir.join("data"))
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=on"])
        .args(["-c", &format!("unix_socket_directories={sockets}")])
        // In its folder, so that a killed one leaves nothing in the system's shared memory.
        .args(["-c", "dynamic_shared_memory_type=mmap"])
        .args(arguments)
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("postgres is installed")
}

/// PostgreSQL refuses to run as root, who is somebody else in a user namespace.
fn as_a_user(program: &str) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-user=1000", program]);
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("it is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
