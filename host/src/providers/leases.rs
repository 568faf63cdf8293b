//! The leases that one process of a provider wants. Each is kept by a task of its own, which lays it down when this lets go of it.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use wattle_claims::LeaseScope;
use wattle_core::{
    codec,
    provider::{LEASES_MAX, LeaseNews, NoteRefusal, ToProvider},
};
use wattle_wire::Connection;

/// Notes that wait for one lease's task; an SDK sends one at a time.
const ORDERS_MAX: usize = 4;

/// A lease that a process wants, on its way to the task that keeps it.
#[derive(Debug)]
pub(crate) struct Want {
    pub(crate) scope: LeaseScope,
    pub(crate) voice: Voice,
    /// Ends when the process does not want it any more, or is gone.
    pub(crate) notes: mpsc::Receiver<Note>,
}

/// A note to be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The provider's number for it.
    pub(crate) write: u32,
    pub(crate) note: Vec<u8>,
}

/// Tells the process about one of its leases.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    connection: Connection,
    lease: u32,
}

impl Voice {
    /// A process that is gone hears nothing, and wants nothing.
    pub(crate) fn say(&self, news: LeaseNews) {
        let message = ToProvider::Lease { lease: self.lease, news };
        let _closed = self.connection.control(codec::encode(&message));
    }
}

/// What one process wants. Dropping it gives everything up: only when the process is gone.
#[derive(Debug)]
pub(super) struct Leases {
    connection: Connection,
    keepers: mpsc::Sender<Want>,
    wanted: BTreeMap<u32, Wanted>,
}

#[derive(Debug)]
struct Wanted {
    scope: LeaseScope,
    link: u32,
    notes: mpsc::Sender<Note>,
}

/// The process asked for what it cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Senseless;

impl Leases {
    pub(super) fn new(connection: Connection, keepers: mpsc::Sender<Want>) -> Self {
        Self { connection, keepers, wanted: BTreeMap::new() }
    }

    /// It wants this one. What it wanted in the same scope before, it does not want any more.
    pub(super) fn take(
        &mut self,
        lease: u32,
        link: u32,
        scope: LeaseScope,
    ) -> Result<(), Senseless> {
        self.wanted.retain(|_, wanted| wanted.scope != scope);
        if self.wanted.len() >= LEASES_MAX || self.wanted.contains_key(&lease) {
            return Err(Senseless);
        }
        let (orders, notes) = mpsc::channel(ORDERS_MAX);
        let voice = Voice { connection: self.connection.clone(), lease };
        let want = Want { scope: scope.clone(), voice, notes };
        if let Err(error) = self.keepers.try_send(want) {
            tracing::error!(%error, provider = %scope.provider, "a lease is not kept");
        }
        self.wanted.insert(lease, Wanted { scope, link, notes: orders });
        Ok(())
    }

    /// It does not want it any more.
    pub(super) fn leave(&mut self, lease: u32) {
        self.wanted.remove(&lease);
    }

    /// It has let go of a link, and with it of all that belonged to it.
    pub(super) fn leave_link(&mut self, link: u32) {
        self.wanted.retain(|_, wanted| wanted.link != link);
    }

    /// It has something to note.
    pub(super) fn write(&self, lease: u32, write: u32, note: Vec<u8>) {
        let kept = self
            .wanted
            .get(&lease)
            .is_some_and(|wanted| wanted.notes.try_send(Note { write, note }).is_ok());
        if !kept {
            let voice = Voice { connection: self.connection.clone(), lease };
            voice.say(LeaseNews::Noted { write, outcome: Err(NoteRefusal::NotHeld) });
        }
    }
}
