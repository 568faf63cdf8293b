//! The server's process: started, watched, ended, always reaped.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

use super::{ServerError, binary::in_path, folder::Folder};

/// Between two looks whether a process that is not our child is gone: nobody tells us.
const GONE_POLL: Duration = Duration::from_millis(20);

/// A nats-server's process.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// We started it; a thread of its own waits for its end.
    Child {
        over: watch::Receiver<bool>,
        reaped: Arc<Mutex<bool>>,
        keeper: Option<thread::JoinHandle<()>>,
    },
    /// Somebody else did, with this configuration file.
    Found { config: PathBuf },
}

impl Process {
    /// Starts the binary in its folder, in a process group of its own so that a Ctrl-C meant for us does not end it before
    /// we do.
    ///
    /// `tied`: it is to die with us. Only a process itself may ask the kernel for that, between fork and exec, which safe code
    /// cannot do: `setpriv` does it, and becomes the server.
    pub(super) fn spawn(binary: &Path, folder: &Folder, tied: bool) -> Result<Self, ServerError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| ServerError::Io { path, source }
        };
        let errors = fs::File::create(folder.errors()).map_err(io(&folder.errors()))?;
        let path = env::var_os("PATH").unwrap_or_default();
        let setpriv = in_path(&path, "setpriv").filter(|_| tied && cfg!(target_os = "linux"));
        let mut command = match setpriv {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
                command
            }
            None => Command::new(binary),
        };
        command.arg("-c").arg(folder.config()).current_dir(folder.path()).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Self::keep(command).map_err(io(binary))
    }

    /// The thread that starts the child also waits for it and reaps it. It lives exactly as long as the child does, so "the
    /// death of the parent", which for the kernel is that of the starting thread, is the death of this process and no less.
    fn keep(mut command: Command) -> std::io::Result<Self> {
        let (started, starts) = mpsc::sync_channel(1);
        let (ended, over) = watch::channel(false);
        let reaped = Arc::new(Mutex::new(false));
        let reaping = Arc::clone(&reaped);
        let keeper = thread::Builder::new().name("nats-server".to_owned()).spawn(move || {
            let spawned = command.spawn();
            let (child, pid) = match spawned {
                Ok(child) => {
                    let pid = Pid::from_child(&child);
                    (Some(child), Ok(pid))
                }
                Err(error) => (None, Err(error)),
            };
            let heard = started.send(pid);
            if let Some(child) = child.filter(|_| heard.is_ok()) {
                wait(child, &reaping);
            }
            let _ = ended.send(true);
        })?;
        let pid = starts.recv().map_err(std::io::Error::other)??;
        Ok(Self { pid, kind: Kind::Child { over, reaped, keeper: Some(keeper) } })
    }

    /// The process that runs with this configuration file under this pid, if it does.
    pub(super) fn attach(pid: u32, config: &Path) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        runs_with(pid, config)
            .then(|| Self { pid, kind: Kind::Found { config: config.to_owned() } })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The binary that it executes.
    pub(super) fn binary(&self) -> Option<PathBuf> {
        fs::read_link(format!("/proc/{}/exe", self.pid())).ok()
    }

    pub(super) fn is_over(&self) -> bool {
        match &self.kind {
            Kind::Child { over, .. } => *over.borrow(),
            Kind::Found { config } => !runs_with(self.pid, config),
        }
    }

    pub(super) async fn exited(&mut self) {
        match &mut self.kind {
            // An error means that the thread is gone, and with it the child.
            Kind::Child { over, .. } => drop(over.wait_for(|over| *over).await),
            Kind::Found { config } => {
                while runs_with(self.pid, config) {
                    tokio::time::sleep(GONE_POLL).await;
                }
            }
        }
    }

    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Kills it and blocks until it is reaped, which takes a few milliseconds.
    pub(super) fn kill_and_reap(&mut self) {
        self.kill();
        if let Kind::Child { keeper, .. } = &mut self.kind
            && let Some(keeper) = keeper.take()
        {
            let _ = keeper.join();
        }
    }

    /// Never to a pid that another process may have by now.
    fn signal(&self, signal: Signal) {
        let sent = match &self.kind {
            Kind::Child { reaped, .. } => {
                let reaped = reaped.lock();
                if *reaped { Ok(()) } else { kill_process(self.pid, signal) }
            }
            Kind::Found { config } if runs_with(self.pid, config) => kill_process(self.pid, signal),
            Kind::Found { .. } => Ok(()),
        };
        if let Err(error) = sent {
            tracing::warn!(pid = self.pid(), %error, "cannot signal nats-server");
        }
    }
}

/// Waits for the child's end without reaping it, then reaps it while nobody can be about to signal its pid.
fn wait(mut child: Child, reaped: &Mutex<bool>) {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let pid = Pid::from_child(&child);
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while matches!(waitid(WaitId::Pid(pid), ended), Err(rustix::io::Errno::INTR)) {}
    let mut reaped = reaped.lock();
    let _ = child.wait();
    *reaped = true;
}

/// Whether the process has this file among its arguments.
fn runs_with(pid: Pid, config: &Path) -> bool {
    let Ok(arguments) = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) else {
        return false;
    };
    let config = OsString::from(config);
    let config = std::os::unix::ffi::OsStrExt::as_bytes(config.as_os_str());
    arguments.split(|byte| *byte == 0).any(|argument| argument == config)
}
