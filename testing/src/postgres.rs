//! A PostgreSQL on a free port, with its data in a temporary folder.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::{eventually, free_port, programs::installed};

const START_MAX: Duration = Duration::from_secs(30);

const END_MAX: Duration = Duration::from_secs(5);

/// Its only user, who may do everything, without a password.
const USER: &str = "wattle";

/// A running PostgreSQL; killed, and its data removed, on drop.
pub struct Postgres {
    port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl Postgres {
    /// Makes a cluster and starts it, and returns when it answers.
    pub async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("wattle-pg-").tempdir();
        let folder = folder.expect("a temporary folder");
        let mut initdb = command("initdb");
        initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]);
        let made = initdb.args(["--no-sync", "-U", USER, "-D"]).arg(data(&folder)).output();
        let made = made.expect("initdb starts");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut postgres = Self { port: free_port(), folder, child: None };
        postgres.restart().await;
        postgres
    }

    /// `postgres://…`, the database that every cluster has.
    pub fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/postgres", self.port)
    }

    /// Runs statements, as whoever owns the database does.
    pub async fn run(&self, statements: &str) {
        let (client, connection) =
            tokio_postgres::connect(&self.url(), tokio_postgres::NoTls).await.expect("it is up");
        let connection = tokio::spawn(connection);
        client.batch_execute(statements).await.expect("good statements");
        drop(client);
        let _ended: Result<_, _> = connection.await;
    }

    /// Kills all of it at once, as a loss of power does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            self.signal_all(&child, Signal::KILL);
            let _: Result<_, std::io::Error> = child.wait();
        }
    }

    /// Stops all of it where it is.
    pub fn freeze(&self) {
        self.signal_all(self.child.as_ref().expect("it runs"), Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal_all(self.child.as_ref().expect("it runs"), Signal::CONT);
    }

    /// Starts it on the same port with the same data, and returns when it answers.
    pub async fn restart(&mut self) {
        self.kill();
        let _: Result<(), std::io::Error> =
            fs::remove_file(data(&self.folder).join("postmaster.pid"));
        let port = self.port.to_string();
        let mut postgres = command("postgres");
        postgres.arg("-D").arg(data(&self.folder)).args(["-p", &port, "-h", "127.0.0.1", "-k", ""]);
        postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut postgres, 0);
        self.child = Some(postgres.spawn().expect("postgres starts"));
        let port = self.port;
        eventually("postgres answers", START_MAX, async || {
            let probe = format!("host=127.0.0.1 port={port} user={USER} dbname=postgres");
            let (_client, connection) =
                tokio_postgres::connect(&probe, tokio_postgres::NoTls).await.ok()?;
            drop(connection);
            Some(())
        })
        .await;
    }

    /// Its processes: each session has one, in a group of its own.
    fn signal_all(&self, child: &Child, signal: Signal) {
        let group = Pid::from_child(child);
        // Whichever of them has ended by now needs no signal.
        let _: Result<(), rustix::io::Errno> = kill_process_group(group, signal);
        for pid in children(&data(&self.folder)) {
            let _: Result<(), rustix::io::Errno> = kill_process(pid, signal);
        }
    }
}

impl Drop for Postgres {
    /// In order, as far as it goes: a killed one leaves its shared memory to the machine.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let pid = Pid::from_child(child);
            for signal in [Signal::CONT, Signal::QUIT] {
                // It may have ended by itself.
                let _: Result<(), rustix::io::Errno> = kill_process_group(pid, signal);
            }
            let until = std::time::Instant::now() + END_MAX;
            while matches!(child.try_wait(), Ok(None)) && std::time::Instant::now() < until {
                std::thread::park_timeout(Duration::from_millis(10));
            }
        }
        self.kill();
    }
}

fn data(folder: &TempDir) -> std::path::PathBuf {
    let folder = folder.path().canonicalize().expect("it is there");
    folder.join("data")
}

/// PostgreSQL does not run as root; as another user of a namespace of its own it does, with root's files.
fn command(name: &str) -> Command {
    let program = installed(name);
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-user=1000", "--"]).arg(program);
    command
}

/// Every process that works in this folder.
fn children(folder: &Path) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    let works_there = |process: &fs::DirEntry| {
        fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == folder)
    };
    processes
        .filter(works_there)
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .collect()
}
