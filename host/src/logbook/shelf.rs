//! Numbered lines, kept apart by who wrote them.

use std::collections::{BTreeMap, VecDeque};

use wattle_core::{EntityId, inventory::LogLine};

/// Lines kept of each writer.
const LINES_MAX: usize = 2_000;

/// Bytes of messages kept of each writer.
const BYTES_MAX: usize = 1024 * 1024;

/// Writers whose lines are kept; beyond it those of whoever was silent the longest go.
const WRITERS_MAX: usize = 256;

/// The kept lines of all writers. Numbers start at 1 and count all lines together.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    last: u64,
    writers: BTreeMap<Option<EntityId>, Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<(u64, LogLine)>,
    bytes: usize,
}

impl Shelf {
    /// The newest line's number.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    pub(super) fn push(&mut self, line: LogLine) {
        self.last += 1;
        if !self.writers.contains_key(&line.id) && self.writers.len() >= WRITERS_MAX {
            self.forget_the_most_silent();
        }
        self.writers.entry(line.id.clone()).or_default().push(self.last, line);
    }

    /// At most `wanted` lines with numbers above `after`, newest first: of one writer, or of all. A number that was not yet
    /// given is one from before a restart, and means all.
    pub(super) fn newest(
        &self,
        writer: Option<&EntityId>,
        after: u64,
        wanted: usize,
    ) -> impl Iterator<Item = &LogLine> {
        let after = if after > self.last { 0 } else { after };
        let mut found: Vec<&(u64, LogLine)> = self
            .writers
            .iter()
            .filter(|(id, _)| writer.is_none() || id.as_ref() == writer)
            .flat_map(|(_, writer)| {
                writer.lines.iter().rev().take_while(|(number, _)| *number > after).take(wanted)
            })
            .collect();
        found.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        found.into_iter().take(wanted).map(|(_, line)| line)
    }

    fn forget_the_most_silent(&mut self) {
        let newest = |lines: &Lines| lines.lines.back().map_or(0, |(number, _)| *number);
        let silent = self
            .writers
            .iter()
            .filter(|(id, _)| id.is_some()) // the host's own lines stay
            .min_by_key(|(_, lines)| newest(lines))
            .map(|(id, _)| id.clone());
        if let Some(id) = silent {
            self.writers.remove(&id);
        }
    }
}

impl Lines {
    fn push(&mut self, number: u64, line: LogLine) {
        self.bytes += line.message.len();
        self.lines.push_back((number, line));
        while self.lines.len() > LINES_MAX || self.bytes > BYTES_MAX {
            let Some((_, oldest)) = self.lines.pop_front() else { break };
            self.bytes -= oldest.message.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: Option<String>, message: String) -> LogLine {
        let id = id.map(|id| id.parse().expect("an id"));
        LogLine { at_ms: 0, id, level: "info".to_owned(), message }
    }

    #[test]
    fn who_writes_much_pushes_out_only_their_own_lines() {
        let mut shelf = Shelf::default();
        shelf.push(line(Some("quiet".to_owned()), "hello".to_owned()));
        for number in 0..10 * LINES_MAX {
            shelf.push(line(Some("noisy".to_owned()), number.to_string()));
        }
        let all: Vec<_> = shelf.newest(None, 0, usize::MAX).collect();
        assert_eq!(all.len(), LINES_MAX + 1);
        assert_eq!(all[LINES_MAX].message, "hello");
        assert_eq!(shelf.last(), 10 * LINES_MAX as u64 + 1);
    }

    #[test]
    fn long_lines_are_bounded_in_bytes() {
        let mut shelf = Shelf::default();
        for _ in 0..100 {
            shelf.push(line(None, "x".repeat(BYTES_MAX / 10)));
        }
        assert_eq!(shelf.newest(None, 0, usize::MAX).count(), 10);
    }

    #[test]
    fn many_writers_are_bounded_and_the_host_is_never_forgotten() {
        let mut shelf = Shelf::default();
        shelf.push(line(None, "host".to_owned()));
        for number in 0..2 * WRITERS_MAX {
            shelf.push(line(Some(format!("actor-{number}")), String::new()));
        }
        assert_eq!(shelf.writers.len(), WRITERS_MAX);
        assert!(shelf.writers.contains_key(&None));
    }
}
