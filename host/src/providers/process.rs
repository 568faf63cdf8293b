//! One process of a provider: executed from its sealed image, limited, signalled, reaped.

use std::{
    fmt,
    io::{self, PipeReader},
    os::{
        fd::OwnedFd,
        unix::{
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getrlimit, kill_process_group, pidfd_open, prlimit,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    time::timeout,
};

use super::spec::{ProviderLimits, ProviderSpec};

/// How long a killed process may take to be gone: the kernel frees its memory first. What takes longer (a device that does not
/// answer) is left to a thread.
const REAP_MAX: Duration = Duration::from_secs(5);

/// A process, the leader of its own group. Dropping it kills the group.
#[derive(Debug)]
pub(super) struct Process {
    exit: AsyncFd<OwnedFd>,
    leader: Leader,
}

/// A process just started, and this host's ends of what it was given.
pub(super) struct Spawned {
    pub(super) process: Process,
    /// One socket per lane.
    pub(super) sockets: Vec<UnixStream>,
    /// What it writes to stdout and stderr.
    pub(super) log: PipeReader,
}

/// Why there is no process.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpawnError {
    #[error("its process cannot be prepared: {0}")]
    Prepare(io::Error),
    #[error("its binary cannot be executed on this machine: {0}")]
    Execute(io::Error),
    #[error("its process cannot be limited: {0}")]
    Limit(io::Error),
}

/// Executes the image. Called on a lane: the process asks the kernel to end it together with the thread that spawned it.
pub(super) fn spawn(spec: &ProviderSpec, lanes: usize) -> Result<Spawned, SpawnError> {
    let (sockets, mut theirs) = socket_pairs(lanes).map_err(SpawnError::Prepare)?;
    let further = theirs.split_off(1);
    wattle_wire::lanes::send(&sockets[0], &further).map_err(SpawnError::Prepare)?;
    let (log, output) = io::pipe().map_err(SpawnError::Prepare)?;
    let errors = output.try_clone().map_err(SpawnError::Prepare)?;
    let stdin = theirs.pop().expect("a provider has at least one lane");
    let child = Command::new(spec.image.path())
        .arg0(format!("wattle-provider {}", spec.id))
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::from(stdin))
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(SpawnError::Execute)?;
    let process = Process::watch(child, &spec.limits).map_err(SpawnError::Limit)?;
    Ok(Spawned { process, sockets, log })
}

fn socket_pairs(count: usize) -> io::Result<(Vec<UnixStream>, Vec<OwnedFd>)> {
    let pairs: Vec<_> = (0..count.max(1)).map(|_| UnixStream::pair()).collect::<Result<_, _>>()?;
    Ok(pairs.into_iter().map(|(ours, theirs)| (ours, OwnedFd::from(theirs))).unzip())
}

impl Process {
    fn watch(child: Child, limits: &ProviderLimits) -> io::Result<Self> {
        let leader = Leader { child: Some(child) };
        let pid = leader.pid();
        limit(pid, Resource::Data, limits.memory_bytes)?;
        limit(pid, Resource::Nofile, limits.open_files)?;
        limit(pid, Resource::Core, 0)?; // a core file would hold its secrets
        let exit = watched(pidfd_open(pid, PidfdFlags::NONBLOCK)?)?;
        Ok(Self { exit, leader })
    }

    pub(super) fn id(&self) -> u32 {
        self.leader.pid().as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits until it has ended. Until [`Process::end`] it stays a zombie, so that its number belongs to nobody else.
    pub(super) async fn exited(&self) {
        if self.exit.readable().await.is_err() {
            std::future::pending::<()>().await; // the runtime ends, and this future with it
        }
    }

    /// Asks the group to end.
    pub(super) fn terminate(&self) {
        self.leader.signal(Signal::TERM);
    }

    /// Gives it `patience` to end by itself, kills what is left of its group, and reaps it.
    pub(super) async fn end(mut self, patience: Duration) -> Exit {
        let by_itself = timeout(patience, self.exited()).await.is_ok();
        self.leader.signal(Signal::KILL); // also its children, whose leader may be gone already
        let _gone = timeout(REAP_MAX, self.exited()).await;
        Exit { status: self.leader.reap(), by_itself }
    }
}

#[allow(
    deprecated,
    reason = "an OwnedFd stays open and the same, which is all that the unsafe successor asks for"
)]
fn watched(file: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(file, Interest::READABLE)
}

/// The child, and the duty to kill its group and to reap it.
#[derive(Debug)]
struct Leader {
    child: Option<Child>,
}

impl Leader {
    fn pid(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("it is there until it is reaped"))
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child
            && let Err(error) = kill_process_group(Pid::from_child(child), signal)
        {
            tracing::debug!(pid = child.id(), %error, "a provider's group takes no signal");
        }
    }

    /// Reaps it if it has ended; if not, dropping this goes on with that.
    fn reap(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut().and_then(|child| child.try_wait().transpose())?;
        self.child = None;
        status
            .inspect_err(|error| tracing::warn!(%error, "a provider's exit status is not known"))
            .ok()
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take()
            && let Err(error) =
                thread::Builder::new().name("reaper".to_owned()).spawn(move || child.wait())
        {
            tracing::warn!(%error, "a provider's process stays a zombie");
        }
    }
}

/// Holds the process to `bytes` (or files); never to more than this host itself may have.
fn limit(pid: Pid, resource: Resource, wanted: u64) -> io::Result<()> {
    let most = getrlimit(resource).maximum.map_or(wanted, |most| most.min(wanted));
    prlimit(Some(pid), resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    Ok(())
}

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exit {
    /// `None` if nobody could see it.
    status: Option<ExitStatus>,
    /// Whether it ended before its host killed it.
    pub(super) by_itself: bool,
}

impl Exit {
    /// Whether somebody other than its host ended it, which says nothing about the provider.
    pub(super) fn was_killed_from_outside(&self) -> bool {
        let signal = self.status.and_then(|status| status.signal());
        self.by_itself
            && matches!(
                signal.and_then(Signal::from_named_raw),
                Some(Signal::KILL | Signal::TERM | Signal::INT | Signal::HUP)
            )
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(status) = self.status else { return f.write_str("its end was not seen") };
        match (status.code(), status.signal()) {
            (Some(code), _) => write!(f, "exit status {code}"),
            (None, Some(signal)) => write!(f, "killed by signal {signal}{}", signal_name(signal)),
            (None, None) => write!(f, "{status}"),
        }
    }
}

fn signal_name(signal: i32) -> &'static str {
    match Signal::from_named_raw(signal) {
        Some(Signal::ABORT) => " (SIGABRT)",
        Some(Signal::BUS) => " (SIGBUS)",
        Some(Signal::ILL) => " (SIGILL)",
        Some(Signal::INT) => " (SIGINT)",
        Some(Signal::KILL) => " (SIGKILL)",
        Some(Signal::SEGV) => " (SIGSEGV)",
        Some(Signal::SYS) => " (SIGSYS)",
        Some(Signal::TERM) => " (SIGTERM)",
        _ => "",
    }
}
