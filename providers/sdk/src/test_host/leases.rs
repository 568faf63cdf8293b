//! Leases as the hosts of one lattice give them to their providers.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use wattle_core::{
    Name, codec,
    provider::{LeaseNews, NOTE_LEN_MAX, NoteRefusal, ToHost, ToProvider},
};
use wattle_wire::Connection;

/// How long a lease is given for, in milliseconds: a test is over by then. It ends when the test says so.
const FOR_MS: u32 = 3_600_000;

/// The leases of a lattice: hosts that are started with the same ones ([`Launch::leases`](super::Launch::leases)) are hosts of one
/// lattice, and a link's number means the same link on each of them. A host that is killed or dropped holds none any more.
#[derive(Clone, Default)]
pub struct Leases(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    hosts: u64,
    seats: BTreeMap<(u32, Name), Seat>,
}

/// One lease.
#[derive(Default)]
struct Seat {
    /// Who wants it; the first holds it.
    line: VecDeque<Wanted>,
    note: Vec<u8>,
}

struct Wanted {
    host: u64,
    lease: u32,
    connection: Connection,
}

impl Wanted {
    fn say(&self, news: LeaseNews) {
        // A provider that has ended hears nothing.
        let message = ToProvider::Lease { lease: self.lease, news };
        let _ended = self.connection.control(codec::encode(&message));
    }
}

impl Seat {
    fn give(&self) {
        if let Some(holder) = self.line.front() {
            holder.say(LeaseNews::Held { note: self.note.clone(), for_ms: FOR_MS });
        }
    }

    /// Takes those out of the line of whom this is so, and gives the lease to the next if the holder was among them.
    fn leave(&mut self, gone: impl Fn(&Wanted) -> bool) {
        let held = self.line.front().is_some_and(&gone);
        self.line.retain(|wanted| !gone(wanted));
        if held {
            self.give();
        }
    }
}

impl Leases {
    /// Ends the term of whoever holds a link's lease, as if its host could not renew it. The next in line gets it, else the same.
    ///
    /// # Panics
    /// Nobody holds it.
    pub fn pass_on(&self, link: u32, name: &str) {
        let mut table = self.table();
        let place = (link, name.parse().expect("a name"));
        let seat = table.seats.get_mut(&place).expect("somebody has wanted the lease");
        let holder = seat.line.pop_front().expect("somebody holds the lease");
        holder.say(LeaseNews::Lost);
        seat.line.push_back(holder);
        seat.give();
    }

    pub(super) fn join(&self) -> u64 {
        let mut table = self.table();
        table.hosts += 1;
        table.hosts
    }

    /// Does what a provider says of leases; whether that is what it spoke of.
    pub(super) fn hear(&self, host: u64, connection: &Connection, said: &ToHost) -> bool {
        let mut table = self.table();
        match said {
            ToHost::TakeLease { lease, link, name } => {
                let seat = table.seats.entry((*link, name.clone())).or_default();
                seat.line.push_back(Wanted { host, lease: *lease, connection: connection.clone() });
                if seat.line.len() == 1 {
                    seat.give();
                }
            }
            ToHost::LeaveLease { lease } => {
                let is_it = |wanted: &Wanted| wanted.host == host && wanted.lease == *lease;
                table.seats.values_mut().for_each(|seat| seat.leave(is_it));
            }
            ToHost::WriteNote { lease, write, note } => {
                let outcome = write_note(&mut table, (host, *lease), note);
                let news = LeaseNews::Noted { write: *write, outcome };
                Wanted { host, lease: *lease, connection: connection.clone() }.say(news);
            }
            _ => return false,
        }
        true
    }

    /// A host that is gone holds nothing and waits for nothing.
    pub(super) fn leave(&self, host: u64) {
        self.table().seats.values_mut().for_each(|seat| seat.leave(|wanted| wanted.host == host));
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_note(table: &mut Table, writer: (u64, u32), note: &[u8]) -> Result<(), NoteRefusal> {
    if note.len() > NOTE_LEN_MAX {
        return Err(NoteRefusal::TooLong);
    }
    let mut seats = table.seats.values_mut();
    let held = seats
        .find(|seat| seat.line.front().is_some_and(|holder| (holder.host, holder.lease) == writer));
    held.ok_or(NoteRefusal::NotHeld)?.note = note.to_vec();
    Ok(())
}

impl fmt::Debug for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leases").finish_non_exhaustive()
    }
}
