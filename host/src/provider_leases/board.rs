//! What the lattice's store says of the leases that this host's providers want.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use parking_lot::Mutex;
use tokio::sync::watch;

/// What stands in the store under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It has not been looked at yet.
    Unread,
    /// Nothing.
    Absent,
    /// This, since then as far as this host knows.
    Put { token: String, revision: u64, since: Instant },
}

impl Seen {
    /// The revision that whoever replaces it must name.
    pub(crate) fn revision(&self) -> Option<u64> {
        match self {
            Self::Unread => None,
            Self::Absent => Some(0),
            Self::Put { revision, .. } => Some(*revision),
        }
    }
}

/// What the store's news say of the keys that somebody here watches.
#[derive(Debug, Default)]
pub(crate) struct Board {
    entries: Mutex<Entries>,
    /// Told whenever somebody may have stopped watching.
    left: tokio::sync::Notify,
}

#[derive(Debug, Default)]
struct Entries {
    seen: BTreeMap<String, watch::Sender<Seen>>,
    /// Keys of which the listing under way has not spoken yet.
    unlisted: BTreeSet<String>,
}

impl Board {
    /// What is known of a key, from now on.
    pub(crate) fn watch(&self, key: &str) -> watch::Receiver<Seen> {
        let mut entries = self.entries.lock();
        entries.seen.retain(|_, seen| seen.receiver_count() > 0);
        let seen = entries.seen.entry(key.to_owned());
        seen.or_insert_with(|| watch::Sender::new(Seen::Unread)).subscribe()
    }

    /// The store begins to say anew what is in it.
    pub(crate) fn listing(&self) {
        let mut entries = self.entries.lock();
        entries.unlisted = entries.seen.keys().cloned().collect();
    }

    /// It has said everything: what it did not speak of is not there.
    pub(crate) fn listed(&self) {
        let unlisted = std::mem::take(&mut self.entries.lock().unlisted);
        unlisted.iter().for_each(|key| self.gone(key));
    }

    /// This stands there.
    pub(crate) fn saw(&self, key: &str, token: &str, revision: u64) {
        let mut entries = self.entries.lock();
        entries.unlisted.remove(key);
        let Some(seen) = entries.seen.get(key) else { return };
        seen.send_if_modified(|seen| {
            let is_new = seen.revision() != Some(revision);
            if is_new {
                *seen = Seen::Put { token: token.to_owned(), revision, since: Instant::now() };
            }
            is_new
        });
    }

    /// Nothing stands there any more.
    pub(crate) fn gone(&self, key: &str) {
        let entries = self.entries.lock();
        if let Some(seen) = entries.seen.get(key) {
            seen.send_replace(Seen::Absent);
        }
    }

    /// Somebody does not watch any more.
    pub(super) fn left(&self) {
        self.left.notify_waiters();
    }

    pub(super) async fn nobody_watches(&self) {
        loop {
            let left = self.left.notified();
            if self.entries.lock().seen.values().all(|seen| seen.receiver_count() == 0) {
                return;
            }
            left.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listing_does_not_speak_of_is_not_there() {
        let board = Board::default();
        let (there, missing, late) = (board.watch("a"), board.watch("b"), "c");
        board.listing();
        let late = board.watch(late);
        board.saw("a", "token", 7);
        board.saw("nobody-wants-it", "token", 8);
        board.listed();
        assert_eq!(there.borrow().revision(), Some(7));
        assert_eq!(*missing.borrow(), Seen::Absent);
        assert_eq!(*late.borrow(), Seen::Unread, "the listing may have begun behind it");
    }

    #[test]
    fn the_same_once_more_is_as_old_as_it_was() {
        let board = Board::default();
        let mut seen = board.watch("a");
        board.saw("a", "token", 7);
        assert!(seen.has_changed().expect("open"));
        let first = seen.borrow_and_update().clone();
        board.saw("a", "token", 7);
        assert!(!seen.has_changed().expect("open"));
        assert_eq!(*seen.borrow(), first);
    }
}
