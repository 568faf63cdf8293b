//! The provider's process as the test has it.

use std::{
    fs,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, ChildStderr, Command},
    task::JoinHandle,
    time::timeout,
};
use wattle_wire::lanes;

use super::PATIENCE;

/// What is kept of a log, in bytes.
const LOG_LEN_MAX: usize = 4 * 1024 * 1024;

/// A process that dies with this.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    id: u32,
    log: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Process {
    /// Starts `binary` as a host does, and gives it its ends of as many socketpairs as it has lanes.
    pub(super) fn spawn(binary: &Path, lanes: usize) -> (Self, Vec<UnixStream>) {
        let pairs = (0..lanes.max(1)).map(|_| UnixStream::pair().expect("a socketpair"));
        let (ours, theirs): (Vec<_>, Vec<_>) = pairs.unzip();
        let mut theirs = theirs.into_iter().map(OwnedFd::from);
        let first = theirs.next().expect("there is at least one lane");
        lanes::send(&ours[0], &theirs.collect::<Vec<_>>()).expect("the lanes are handed over");
        let mut child = Command::new(binary)
            .stdin(Stdio::from(first))
            .stderr(Stdio::piped())
            .env_clear()
            .current_dir("/")
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let id = child.id().expect("it was just started");
        let log = Arc::<Mutex<String>>::default();
        let stderr = child.stderr.take().expect("it is piped");
        let reader = tokio::spawn(read(stderr, Arc::clone(&log)));
        (Self { child, id, log, reader }, ours)
    }

    pub(super) async fn kill(&mut self) {
        self.child.start_kill().expect("the process runs");
        self.ended().await;
    }

    pub(super) async fn ended(&mut self) -> ExitStatus {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("the process ends");
        timeout(PATIENCE, &mut self.reader).await.expect("its log ends").expect("it is text");
        status.expect("it is ours")
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is ours").is_none()
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.id)).expect("the process runs").count()
    }

    /// A line of the kernel's account of the process, which is in kibibytes.
    pub(super) fn memory(&self, line: &str) -> u64 {
        let path = format!("/proc/{}/status", self.id);
        let status = fs::read_to_string(path).expect("the process runs");
        let found = status.lines().find_map(|found| found.strip_prefix(line));
        let kib = found.and_then(|found| found.trim().strip_suffix(" kB")).expect("Linux says so");
        kib.parse::<u64>().expect("a number") * 1024
    }

    pub(super) fn logged(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Keeps a log, and repeats it in the test's own output, which is shown if it fails.
async fn read(stderr: ChildStderr, log: Arc<Mutex<String>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Some(line) = lines.next_line().await.expect("a log is text") {
        eprintln!("{line}");
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() + line.len() < LOG_LEN_MAX {
            log.push_str(&line);
            log.push('\n');
        }
    }
}
