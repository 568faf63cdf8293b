//! Command ids, remembered until they expire, also across restarts: a command takes effect once.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::PathBuf,
};

use wattle_claims::Timestamp;

use crate::state::write_whole;

/// Ids remembered at once; a command beyond it is refused rather than one forgotten.
const SEEN_MAX: usize = 100_000;

/// Lines appended before the file is written anew without what expired.
const LINES_MAX: usize = 10_000;

/// A command counts as expired only when every leeway has passed.
const LEEWAY_SECS: u64 = 120;

/// The ids of the commands that were given.
pub(crate) struct SeenCommands {
    until: HashMap<String, u64>,
    path: PathBuf,
    file: File,
    lines: usize,
}

impl SeenCommands {
    pub(super) fn open(path: PathBuf, now: Timestamp) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).read(true).open(&path)?;
        let mut until = HashMap::new();
        for line in BufReader::new(&file).lines() {
            // A line that a crash cut short is of a command that was never obeyed.
            if let Some((expires, id)) = line?
                .split_once(' ')
                .and_then(|(at, id)| Some((at.parse::<u64>().ok()?, id.to_owned())))
            {
                until.insert(id, expires);
            }
        }
        let mut seen = Self { until, path, file, lines: LINES_MAX };
        seen.shrink(now)?;
        Ok(seen)
    }

    /// Whether this is the first time; on disk before it is true.
    pub(super) fn remember(
        &mut self,
        id: &str,
        expires: Timestamp,
        now: Timestamp,
    ) -> io::Result<bool> {
        if self.until.contains_key(id) {
            return Ok(false);
        }
        if self.lines >= LINES_MAX || self.until.len() >= SEEN_MAX {
            self.shrink(now)?;
        }
        if self.until.len() >= SEEN_MAX {
            return Err(io::Error::other("too many commands at once"));
        }
        let until = expires.as_secs().saturating_add(LEEWAY_SECS);
        let line = format!("{until} {id}\n");
        if let Err(error) =
            self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data())
        {
            // Half a line may be there, and the next one must not be written behind it: the file is written anew first.
            self.lines = LINES_MAX;
            return Err(error);
        }
        self.lines += 1;
        self.until.insert(id.to_owned(), until);
        Ok(true)
    }

    fn shrink(&mut self, now: Timestamp) -> io::Result<()> {
        self.until.retain(|_, until| *until >= now.as_secs());
        let lines: String =
            self.until.iter().map(|(id, until)| format!("{until} {id}\n")).collect();
        write_whole(&self.path, lines.as_bytes())?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.lines = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_new_once_until_it_expires_and_across_restarts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("commands");
        let (now, later) = (Timestamp::from_secs(1_000), Timestamp::from_secs(1_060));
        let mut seen = SeenCommands::open(path.clone(), now).expect("opens");
        assert!(seen.remember("a", later, now).expect("kept"));
        assert!(!seen.remember("a", later, now).expect("kept"));
        let mut again = SeenCommands::open(path.clone(), later).expect("opens");
        assert!(!again.remember("a", later, later).expect("kept"));
        let much_later = Timestamp::from_secs(10_000);
        assert!(SeenCommands::open(path, much_later).expect("opens").until.is_empty());
    }
}
