//! Ctrl-C, and what else asks a command to end.

use anyhow::{Context as _, Result};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// The signals that no longer end us: what we started has to be stopped first.
pub(crate) struct Interrupts(Signals);

impl Interrupts {
    /// Holds them from here on.
    pub(crate) fn hold() -> Result<Self> {
        // `nohup` means us to outlive the terminal.
        let hangup = (!is_hangup_ignored()).then_some(SIGHUP);
        let signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup));
        Ok(Self(signals.context("listening for Ctrl-C")?))
    }

    /// Waits for one, unless one came already.
    pub(crate) fn wait(&mut self) {
        self.0.forever().next();
    }

    /// Whether one came since this was last asked.
    pub(crate) fn came(&mut self) -> bool {
        self.0.pending().next().is_some()
    }
}

/// From the mask of ignored signals in `/proc/self/status` (proc(5)): its lowest bit is for signal 1, which is SIGHUP.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 != 0)
}
