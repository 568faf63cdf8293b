//! What time it is for tokens: never earlier than what this host has already seen.
//!
//! A Raspberry Pi has no clock of its own and boots in the past; believing it would bring expired tokens back to life. So token
//! time is the latest of the system's clock, the highest time seen before, and when the host's own chain was issued; and it moves on
//! while the host runs, even where the system's clock has yet to catch up.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use wattle_claims::{LEEWAY, Timestamp};

/// Token time of one host. Reading it is one atomic load; a task moves it on.
pub(crate) struct Clock {
    now: AtomicU64,
    path: PathBuf,
    /// When it was opened, and token time then.
    opened: (Instant, u64),
}

impl Clock {
    /// Starts at the latest of the system's clock, what `path` keeps, and `issued_at`.
    pub(crate) fn open(path: PathBuf, issued_at: Timestamp) -> io::Result<Self> {
        let kept = match fs::read_to_string(&path) {
            Ok(text) => text.trim().parse().unwrap_or(0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let start = kept.max(issued_at.as_secs()).max(Timestamp::now().as_secs());
        Ok(Self { now: AtomicU64::new(start), path, opened: (Instant::now(), start) })
    }

    /// Token time.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.now.load(Ordering::Relaxed))
    }

    /// Looks at the system's clock, which may be behind, and at how long this host has been running.
    pub(crate) fn advance(&self) {
        let (instant, start) = self.opened;
        let elapsed = start + instant.elapsed().as_secs();
        self.now.fetch_max(elapsed.max(Timestamp::now().as_secs()), Ordering::Relaxed);
    }

    /// How far token time is ahead of the system's clock, by more than clocks may differ, and where it is kept.
    pub(crate) fn ahead(&self) -> Option<(Duration, &Path)> {
        let ahead = self.now().as_secs().saturating_sub(Timestamp::now().as_secs());
        let ahead = Duration::from_secs(ahead);
        (ahead > LEEWAY).then_some((ahead, self.path.as_path()))
    }

    /// Remembers token time across restarts.
    pub(crate) fn keep(&self) -> io::Result<()> {
        crate::state::write_whole(&self.path, self.now().as_secs().to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_on_while_the_systems_clock_is_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let future = Timestamp::from_secs(Timestamp::now().as_secs() + 1_000_000);
        let mut clock = Clock::open(folder.path().join("clock"), future).expect("opens");
        let minute = Duration::from_secs(60);
        clock.opened.0 = clock.opened.0.checked_sub(minute).expect("up for a minute");
        clock.advance();
        assert_eq!(clock.now(), future.plus(minute));
        assert!(clock.ahead().is_some_and(|(ahead, _)| ahead > minute * 1_000));
    }

    #[test]
    fn time_does_not_go_back_across_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("clock");
        let future = Timestamp::from_secs(Timestamp::now().as_secs() + 1_000_000);
        let clock = Clock::open(path.clone(), future).expect("opens");
        assert_eq!(clock.now(), future);
        clock.advance();
        clock.keep().expect("written");
        let again = Clock::open(path, Timestamp::from_secs(0)).expect("opens");
        assert_eq!(again.now(), future);
    }
}
