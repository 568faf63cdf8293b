//! Processes that an earlier command started: still there, or is the number another's by now?

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde::{Deserialize, Serialize};

/// How often a process that is to end is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process, told from later ones of the same number by when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Clock ticks after boot, where the system says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started: Option<u64>,
}

impl Process {
    /// The process that has this number now.
    pub(crate) fn with_pid(pid: u32) -> Self {
        Self { pid, started: stat(pid).map(|stat| stat.started) }
    }

    /// This process.
    pub(crate) fn own() -> Self {
        Self::with_pid(std::process::id())
    }

    /// Whether it runs. A zombie does not: it only waits for its parent to notice. But the first thread may be one before the others
    /// are, and until the last one ends, what the process had open is open.
    pub(crate) fn is_alive(&self) -> bool {
        match (self.started, stat(self.pid)) {
            (Some(started), Some(now)) => now.started == started && !now.zombie,
            (Some(_), None) => false,
            (None, _) => self.rustix_pid().is_some_and(|pid| test_kill_process(pid).is_ok()),
        }
    }

    /// Whether it runs, and no other process can have its number.
    pub(crate) fn is_surely_alive(&self) -> bool {
        self.started.is_some() && self.is_alive()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if self.is_alive()
            && let Some(pid) = self.rustix_pid()
        {
            // It may end between the look and the signal; then there is nothing left to do.
            let _ = kill_process(pid, signal);
        }
    }

    /// Waits until it is gone; false if it is still there after `wait`.
    pub(crate) async fn gone(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        // It is no child of ours, so there is no event to wait for.
        while self.is_alive() {
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        true
    }

    fn rustix_pid(&self) -> Option<Pid> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw)
    }
}

struct Stat {
    zombie: bool,
    started: u64,
}

/// From `/proc/PID/stat` (proc(5)): the state is the first field behind the name, the number of threads the eighteenth,
/// the start time the twentieth.
fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?; // the name may hold spaces and parentheses
    let fields: Vec<&str> = fields.split_whitespace().collect();
    Some(Stat {
        zombie: matches!(fields.first(), Some(&"Z" | &"X"))
            && matches!(fields.get(17), Some(&"0" | &"1")),
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_another_process_has_by_now_is_not_taken_for_ours() {
        let own = Process::own();
        assert!(own.is_alive());
        let earlier = Process { started: own.started.map(|ticks| ticks - 1), ..own };
        assert_eq!(earlier.is_alive(), own.started.is_none());
    }

    #[tokio::test]
    async fn a_killed_child_is_gone_even_before_it_is_reaped() {
        let mut child =
            std::process::Command::new("sleep").arg("60").spawn().expect("sleep is installed");
        let process = Process::with_pid(child.id());
        assert!(process.is_alive());
        process.kill();
        assert!(process.gone(Duration::from_secs(5)).await);
        child.wait().expect("it was killed");
    }
}
