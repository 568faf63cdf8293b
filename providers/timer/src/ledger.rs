//! What was handed over last, as the next holder of the link's lease reads it: written before the actor is called.

use std::{collections::BTreeMap, fmt::Write as _};

use tokio::sync::Mutex;
use wattle_sdk::{LeaseError, Term};

use crate::settings::Timing;

/// A link's ledger in one term of its lease.
pub(crate) struct Ledger {
    pub(crate) term: Term,
    writer: u32,
    book: Mutex<Book>,
}

/// The last tick of each timer, by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Book {
    /// Which process wrote it.
    writer: u32,
    entries: BTreeMap<String, Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Of the schedule that this is about.
    print: u32,
    /// Milliseconds since 1970.
    last_ms: i64,
}

impl Ledger {
    /// Reads what the holder before left, and which process that was. What begins now, begins with what is due from now on, and that is noted.
    pub(crate) async fn open(
        term: Term,
        writer: u32,
        timers: &[Timing],
        now_ms: i64,
    ) -> Result<(Self, u32), LeaseError> {
        let before = Book::read(&term.note());
        let book = before.of(timers, now_ms);
        if book.entries != before.entries {
            term.write_note(book.write(writer).as_bytes()).await?;
        }
        Ok((Self { term, writer, book: Mutex::new(book) }, before.writer))
    }

    /// When this timer's last tick was due.
    pub(crate) async fn last_ms(&self, name: &str) -> Option<i64> {
        self.book.lock().await.entries.get(name).map(|entry| entry.last_ms)
    }

    /// Notes that this tick is handed over now. Nobody else will, if this succeeds.
    pub(crate) async fn note(&self, timer: &Timing, due_ms: i64) -> Result<(), LeaseError> {
        let mut book = self.book.lock().await;
        let mut next = book.clone();
        let entry = Entry { print: timer.print, last_ms: due_ms };
        next.entries.insert(timer.name.clone(), entry);
        self.term.write_note(next.write(self.writer).as_bytes()).await?;
        *book = next;
        Ok(())
    }
}

impl Book {
    /// What these timers go on from. One that is new, or has another schedule than before, goes on from now.
    fn of(&self, timers: &[Timing], now_ms: i64) -> Self {
        let entry = |timer: &Timing| {
            let before = self.entries.get(&timer.name).filter(|entry| entry.print == timer.print);
            let begins = Entry { print: timer.print, last_ms: now_ms };
            (timer.name.clone(), before.copied().unwrap_or(begins))
        };
        Self { writer: self.writer, entries: timers.iter().map(entry).collect() }
    }

    /// `timer/1 WRITER`, then a line for each timer: name, print and time. What else stands there is none of ours.
    fn read(note: &[u8]) -> Self {
        let text = std::str::from_utf8(note).unwrap_or_default();
        let mut lines = text.lines();
        let writer = lines.next().and_then(|line| line.strip_prefix("timer/1 "));
        let Some(writer) = writer.and_then(|writer| u32::from_str_radix(writer, 16).ok()) else {
            return Self::default();
        };
        let entry = |line: &str| {
            let (name, rest) = line.split_once(' ')?;
            let (print, last_ms) = rest.split_once(' ')?;
            let print = u32::from_str_radix(print, 16).ok()?;
            Some((name.to_owned(), Entry { print, last_ms: last_ms.parse().ok()? }))
        };
        Self { writer, entries: lines.filter_map(entry).collect() }
    }

    fn write(&self, writer: u32) -> String {
        let mut note = format!("timer/1 {writer:x}\n");
        for (name, Entry { print, last_ms }) in &self.entries {
            let _ = writeln!(note, "{name} {print:x} {last_ms}"); // a String takes everything
        }
        note
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use wattle_core::provider::NOTE_LEN_MAX;

    use super::*;
    use crate::{
        schedule::Schedule,
        settings::{NAME_LEN_MAX, TIMERS_MAX},
    };

    fn timing(name: &str, print: u32) -> Timing {
        let schedule = Schedule::parse("every 1h", &TimeZone::UTC).expect("an interval");
        Timing { name: name.to_owned(), schedule, print }
    }

    #[test]
    fn a_note_survives_the_trip_and_the_longest_fits() {
        let name = |number: usize| format!("{number:0>width$}", width = NAME_LEN_MAX);
        let timers: Vec<_> = (0..TIMERS_MAX).map(|n| timing(&name(n), u32::MAX)).collect();
        let book = Book::default().of(&timers, 253_402_300_799_999);
        let note = book.write(u32::MAX);
        assert!(note.len() <= NOTE_LEN_MAX, "{}", note.len());
        assert_eq!(Book::read(note.as_bytes()), Book { writer: u32::MAX, ..book });
    }

    #[test]
    fn only_what_is_the_same_as_before_goes_on_from_there() {
        let before = Book::default().of(&[timing("a", 1), timing("b", 2), timing("c", 3)], 100);
        let now = before.of(&[timing("a", 1), timing("b", 9), timing("d", 4)], 500);
        let last = |name: &str| now.entries.get(name).map(|entry| entry.last_ms);
        assert_eq!(["a", "b", "c", "d"].map(last), [Some(100), Some(500), None, Some(500)]);
    }

    #[test]
    fn what_is_no_note_of_ours_says_nothing() {
        for note in [&b""[..], b"timer/2 a\nb 1 2", b"\xff\xfe", b"timer/1 x\n", b"a 1 2"] {
            assert_eq!(Book::read(note), Book::default());
        }
        let some = Book::read(b"timer/1 a\nnonsense\nb 1 2\nc 1 later\n");
        assert_eq!(some.entries.len(), 1);
    }
}
