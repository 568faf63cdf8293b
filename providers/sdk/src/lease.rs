//! Leases: at most one host of the lattice lets its provider hold one at a time, so that what the provider does over a link is
//! done once, however many hosts run it.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::{Mutex as AsyncMutex, oneshot, watch},
    time::timeout_at,
};
use wattle_core::{
    Name, codec,
    provider::{LEASES_MAX, LeaseNews, NOTE_LEN_MAX, NoteRefusal, ToHost},
};
use wattle_wire::Connection;

/// A lease that this provider wants. Its host takes it whenever it is free, renews it, and takes it again after it was lost. It is
/// given up when the last clone of it, and the last [`Term`] under it, is dropped.
#[derive(Clone)]
pub struct Lease {
    wanted: Arc<Wanted>,
}

/// A time in which this provider held a lease. It may be over already.
#[derive(Clone)]
pub struct Term {
    wanted: Arc<Wanted>,
    number: u64,
}

/// What is wrong with a lease, or with its note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Not a name.
    #[error("{0:?} names no lease: a name has 1 to 63 of a-z, 0-9 and '-'")]
    Name(String),
    /// The provider wants too many.
    #[error(
        "a provider can want {LEASES_MAX} leases at once: delete a link, or start the provider a second time"
    )]
    TooMany,
    /// The note is too long.
    #[error("a note of {len} bytes is too long: at most {NOTE_LEN_MAX}")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// The term is over: somebody else may hold the lease by now.
    #[error("this host does not hold the lease any more")]
    NotHeld,
}

impl Lease {
    /// Whether this provider holds it now.
    pub fn is_held(&self) -> bool {
        self.wanted.says.borrow().is_held()
    }

    /// Waits until this provider holds it.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn held(&self) -> Term {
        let mut says = self.wanted.says.subscribe();
        let standing = says.wait_for(Standing::is_held).await;
        let number = standing.expect("the sender is at hand").term;
        Term { wanted: self.wanted.clone(), number }
    }
}

impl Term {
    /// What the holder before left, or what was written since; empty if nothing was ever written.
    pub fn note(&self) -> Bytes {
        self.wanted.says.borrow().note.clone()
    }

    /// Whether it goes on: nobody else holds the lease as long as this is so.
    pub fn goes_on(&self) -> bool {
        let says = self.wanted.says.borrow();
        says.is_held() && says.term == self.number
    }

    /// Waits until it is over.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn over(&self) {
        let mut says = self.wanted.says.subscribe();
        loop {
            // Let go of before it is borrowed again: with a writer in between, this thread would wait for itself.
            let until = says.borrow_and_update().until;
            let Some(until) = until.filter(|_| self.goes_on()) else { return };
            // What was not renewed in time is over, whether its host says so or hangs.
            let _lapsed = timeout_at(until.into(), says.changed()).await;
        }
    }

    /// Writes the note that the next holder reads. When this returns without an error, nobody held the lease meanwhile, and
    /// the next holder will read this.
    ///
    /// # Errors
    /// `NotHeld`: nothing was written, or nobody knows whether it was; `TooLong`.
    ///
    /// # Cancel safety
    /// The note may have been written when the future is dropped.
    pub async fn write_note(&self, note: &[u8]) -> Result<(), LeaseError> {
        if note.len() > NOTE_LEN_MAX {
            return Err(LeaseError::TooLong { len: note.len() });
        }
        let mut turn = self.wanted.turn.lock().await;
        if !self.goes_on() {
            return Err(LeaseError::NotHeld);
        }
        *turn = turn.wrapping_add(1);
        let (answer, answered) = oneshot::channel();
        let (lease, write, len) = (self.wanted.number, *turn, note.len());
        let writing = Writing { write, note: Bytes::copy_from_slice(note), answer };
        *locked(&self.wanted.writing) = Some(writing);
        self.wanted.say(&ToHost::WriteNote { lease, write, note: note.to_vec() });
        match answered.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(NoteRefusal::TooLong)) => Err(LeaseError::TooLong { len }),
            Ok(Err(NoteRefusal::NotHeld)) | Err(_) => Err(LeaseError::NotHeld),
        }
    }

    /// Does something for as long as the term goes on: `None` if it ended before that was done.
    ///
    /// # Cancel safety
    /// `work` is dropped when the term ends, and with this future.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.over() => None,
            done = work => Some(done),
        }
    }
}

/// How it stands with a lease.
#[derive(Debug, Default)]
struct Standing {
    /// Until when nobody else may take it; none if it is not held.
    until: Option<Instant>,
    note: Bytes,
    /// How often it was held.
    term: u64,
}

impl Standing {
    fn is_held(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() < until)
    }
}

/// A note on its way to the store.
struct Writing {
    write: u32,
    note: Bytes,
    answer: oneshot::Sender<Result<(), NoteRefusal>>,
}

struct Wanted {
    table: Arc<Leases>,
    number: u32,
    place: Place,
    says: watch::Sender<Standing>,
    /// Whose turn it is to write, and the number of the last who did.
    turn: AsyncMutex<u32>,
    writing: Mutex<Option<Writing>>,
}

impl Wanted {
    /// A host that is gone hears nothing, and this process ends with it.
    fn say(&self, message: &ToHost) {
        let _ = self.table.host.control(codec::encode(message));
    }

    fn hear(&self, news: LeaseNews) {
        let until = |for_ms: u32| Some(Instant::now() + Duration::from_millis(for_ms.into()));
        match news {
            LeaseNews::Held { note, for_ms } => self.says.send_modify(|says| {
                says.term += 1;
                says.note = note.into();
                says.until = until(for_ms);
            }),
            LeaseNews::Renewed { for_ms } => self.says.send_modify(|says| {
                // What lapsed here is over for good: those who saw that do something else now.
                if !says.is_held() {
                    says.term += 1;
                }
                says.until = until(for_ms);
            }),
            LeaseNews::Lost => self.says.send_modify(|says| says.until = None),
            LeaseNews::Noted { write, outcome } => {
                let written = locked(&self.writing).take_if(|writing| writing.write == write);
                let Some(Writing { note, answer, .. }) = written else { return };
                if outcome.is_ok() {
                    // Now, whenever its writer hears of it: what the host says next may be newer.
                    self.says.send_modify(|says| says.note = note);
                }
                let _cancelled = answer.send(outcome);
            }
        }
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        let mut wanted = locked(&self.table.wanted);
        wanted.by_number.remove(&self.number);
        if wanted.by_place.get(&self.place) == Some(&self.number) {
            wanted.by_place.remove(&self.place);
        }
        self.say(&ToHost::LeaveLease { lease: self.number });
    }
}

/// A link's number, and which of its leases.
type Place = (u32, Name);

/// All leases that this provider wants.
pub(crate) struct Leases {
    host: Connection,
    wanted: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    last: u32,
    by_number: BTreeMap<u32, Weak<Wanted>>,
    by_place: BTreeMap<Place, u32>,
}

impl Leases {
    pub(crate) fn new(host: Connection) -> Arc<Self> {
        Arc::new(Self { host, wanted: Mutex::default() })
    }

    pub(crate) fn want(self: &Arc<Self>, link: u32, name: &str) -> Result<Lease, LeaseError> {
        let parsed: Result<Name, _> = name.parse();
        let name = parsed.map_err(|_| LeaseError::Name(name.chars().take(80).collect()))?;
        let place = (link, name.clone());
        let mut table = locked(&self.wanted);
        let there = table.by_place.get(&place).and_then(|number| table.by_number.get(number));
        if let Some(wanted) = there.and_then(Weak::upgrade) {
            return Ok(Lease { wanted });
        }
        if table.by_number.len() >= LEASES_MAX {
            return Err(LeaseError::TooMany);
        }
        table.last = table.last.checked_add(1).ok_or(LeaseError::TooMany)?;
        let number = table.last;
        let wanted = Arc::new(Wanted {
            table: self.clone(),
            number,
            place: place.clone(),
            says: watch::Sender::default(),
            turn: AsyncMutex::default(),
            writing: Mutex::default(),
        });
        table.by_number.insert(number, Arc::downgrade(&wanted));
        table.by_place.insert(place, number);
        wanted.say(&ToHost::TakeLease { lease: number, link, name });
        Ok(Lease { wanted })
    }

    /// The host has taken back what belonged to this link: whoever wants it under the same number wants another.
    pub(crate) fn link_deleted(&self, link: u32) {
        let mut gone = Vec::new();
        let mut table = locked(&self.wanted);
        table.by_place.retain(|(of, _), number| {
            gone.extend((*of == link).then_some(*number));
            *of != link
        });
        let gone: Vec<_> =
            gone.iter().filter_map(|number| table.by_number.get(number)?.upgrade()).collect();
        drop(table); // the last handle may go with this one
        gone.iter().for_each(|wanted| wanted.hear(LeaseNews::Lost));
    }

    /// Takes what the host says. Of a lease that was given up meanwhile, nobody wants to know.
    pub(crate) fn hear(&self, lease: u32, news: LeaseNews) {
        let wanted = locked(&self.wanted).by_number.get(&lease).and_then(Weak::upgrade);
        if let Some(wanted) = wanted {
            wanted.hear(news);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (link, name) = &self.wanted.place;
        let held = self.is_held();
        f.debug_struct("Lease")
            .field("link", link)
            .field("name", name)
            .field("held", &held)
            .finish()
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Term")
            .field("number", &self.number)
            .field("goes_on", &self.goes_on())
            .finish()
    }
}

#[cfg(test)]
mod tests;
