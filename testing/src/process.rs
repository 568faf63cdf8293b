//! A process, by its number: killed, frozen, looked at.

use std::{fs, time::Duration};

use rustix::process::{Pid, Signal, kill_process};

use crate::eventually;

/// What the kernel counts processor time in, for whoever asks: a hundredth of a second on every architecture.
const TICK_MS: u64 = 10;

/// A process that somebody else is the parent of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process(u32);

impl Process {
    /// The process of this number.
    pub const fn new(pid: u32) -> Self {
        Self(pid)
    }

    /// Its number.
    pub const fn pid(self) -> u32 {
        self.0
    }

    /// Ends it at once.
    pub fn kill(self) {
        self.signal(Signal::KILL);
    }

    /// Asks it to end.
    pub fn terminate(self) {
        self.signal(Signal::TERM);
    }

    /// What Ctrl-C sends.
    pub fn interrupt(self) {
        self.signal(Signal::INT);
    }

    /// Freezes it.
    pub fn freeze(self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(self) {
        self.signal(Signal::CONT);
    }

    fn signal(self, signal: Signal) {
        let pid = i32::try_from(self.0).ok().and_then(Pid::from_raw).expect("a process's number");
        // It may be gone already, which is what most signals are meant to lead to.
        let _: Result<(), rustix::io::Errno> = kill_process(pid, signal);
    }

    /// Whether it runs: a zombie does not, once its last thread has ended.
    pub fn is_alive(self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        let Some((_, fields)) = stat.rsplit_once(')') else { return false };
        let fields: Vec<&str> = fields.split_whitespace().collect(); // proc(5): the state, …, the number of threads
        !matches!((fields[0], fields[17]), ("Z" | "X", "0" | "1"))
    }

    /// Waits until it is gone.
    pub async fn gone(self, limit: Duration) {
        let what = format!("process {} is gone", self.0);
        eventually(&what, limit, async || (!self.is_alive()).then_some(())).await;
    }

    /// Resident memory in bytes; 0 once it is gone.
    pub fn resident_bytes(self) -> u64 {
        self.kib("VmRSS:")
    }

    /// The most resident memory it ever had, in bytes.
    pub fn resident_bytes_max(self) -> u64 {
        self.kib("VmHWM:")
    }

    /// Processor time that it has used; none once it is gone.
    pub fn cpu(self) -> Option<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        let (_, fields) = stat.rsplit_once(')')?; // the name may hold spaces
        let ticks = fields.split_whitespace().skip(11).take(2); // proc(5): utime and stime
        let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap_or(0)).sum();
        Some(Duration::from_millis(ticks * TICK_MS))
    }

    /// How many files and sockets it has open; 0 once it is gone.
    pub fn open_files(self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.0)).map_or(0, Iterator::count)
    }

    fn kib(self, field: &str) -> u64 {
        let text = self.status_field(field).unwrap_or_default();
        text.trim_end_matches(" kB").parse::<u64>().map_or(0, |kib| kib * 1_024)
    }

    fn status_field(self, field: &str) -> Option<String> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        Some(line.trim().to_owned())
    }
}
