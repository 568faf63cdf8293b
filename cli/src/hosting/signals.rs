//! The signals that end a host.

use std::future::Future;

use anyhow::Context;
use futures::future::OptionFuture;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{exit::Exit, problem::Problem};

/// SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal was closed), taken from when this was made.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let take = |kind| signal(kind).context("take signals");
        // `nohup` means us to outlive the terminal.
        let hangup = (!is_hangup_ignored()).then(|| take(SignalKind::hangup())).transpose()?;
        Ok(Self {
            hangup,
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
        })
    }

    /// The next one's name.
    ///
    /// # Cancel safety
    /// A signal that arrives later is still seen by the next call.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            Some(_) = OptionFuture::from(self.hangup.as_mut().map(Signal::recv)) => "SIGHUP",
        }
    }

    /// What comes of `work`, which is given up when a signal comes first.
    pub(crate) async fn unless<T>(
        &mut self,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            done = work => done,
            signal = self.next() => Err(too_early(signal).into()),
        }
    }
}

/// A signal that came before what was asked for was so.
pub(crate) fn too_early(signal: &str) -> Problem {
    Problem::new(Exit::Failed, format!("stopped by {signal} before the host was ready"))
}

/// From the mask of ignored signals in `/proc/self/status` (proc(5)): its lowest bit is for signal 1, which is SIGHUP.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 != 0)
}
