//! The calls of one connection: those that this side made, and those that the other side made.

use std::{sync::Arc, task::Waker};

use slab::Slab;
use tokio::task::AbortHandle;
use wattle_core::CallError;

use crate::{
    frame::{CallRef, Maker, PLACE_BITS, WINDOW},
    handler::Reply,
    pipe::Pipe,
};

/// Places in a connection's table of calls; a limit above this has no effect.
pub(super) const PLACES: usize = 1 << PLACE_BITS;
/// The bits of a number above its place. Frames of an ended call can only be as far behind as its maker's `Cancel` was under way,
/// fewer calls than these tell apart.
const TURNS: u32 = 1 << (31 - PLACE_BITS);

/// The streams of one call, seen from this side.
#[derive(Debug, Default)]
pub(super) struct Streams {
    pub(super) incoming: Option<Incoming>,
    pub(super) outgoing: Option<Outgoing>,
}

/// A body that the other side sends.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) pipe: Arc<Pipe>,
    /// The index that the next frame has to have.
    pub(super) next: u32,
}

/// A body that this side sends.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) credit: u32,
    pub(super) next: u32,
    pub(super) pump: Option<Waker>,
}

impl Outgoing {
    pub(super) const fn new() -> Self {
        Self { credit: WINDOW, next: 0, pump: None }
    }
}

impl Streams {
    fn are_over(&self) -> bool {
        self.incoming.is_none() && self.outgoing.is_none()
    }
}

/// How far the answer to a call of this side is.
#[derive(Debug)]
pub(super) enum Answer {
    Awaited(Option<Waker>),
    Here(Result<Reply, CallError>),
    Taken,
}

/// A call that this side made.
#[derive(Debug)]
pub(super) struct Call {
    number: u32,
    /// Where its request ends in the output.
    pub(super) request_end: u64,
    pub(super) answer: Answer,
    pub(super) streams: Streams,
}

/// A call that the other side made.
#[derive(Debug)]
pub(super) struct Job {
    number: u32,
    /// The task that works on it, when it did not end at once.
    pub(super) task: Option<AbortHandle>,
    pub(super) answered: bool,
    pub(super) streams: Streams,
}

/// All calls of one connection.
#[derive(Debug, Default)]
pub(super) struct Calls {
    mine: Slab<Call>,
    turn: u32,
    theirs: Vec<Option<Job>>,
    theirs_len: usize,
}

/// Why a request of the other side has no place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// The call that has it is not over: the other side miscounts.
    Taken,
    /// Too many are under way.
    Full,
}

fn place_of(number: u32) -> usize {
    number as usize & (PLACES - 1)
}

impl Calls {
    /// Calls of this side that are not wholly over.
    pub(super) fn mine_len(&self) -> usize {
        self.mine.len()
    }

    /// Calls of the other side that are not wholly over.
    pub(super) fn theirs_len(&self) -> usize {
        self.theirs_len
    }

    /// Gives a new call of this side its number. The table was checked to have room.
    pub(super) fn insert_mine(
        &mut self,
        waker: Waker,
        outgoing: Option<Outgoing>,
        put: impl FnOnce(u32) -> u64,
    ) -> u32 {
        self.turn = (self.turn + 1) % TURNS;
        let entry = self.mine.vacant_entry();
        let place = u32::try_from(entry.key()).expect("the table is limited to its places");
        let number = (self.turn << PLACE_BITS) | place;
        entry.insert(Call {
            number,
            request_end: put(number),
            answer: Answer::Awaited(Some(waker)),
            streams: Streams { incoming: None, outgoing },
        });
        number
    }

    pub(super) fn mine(&mut self, number: u32) -> Option<&mut Call> {
        self.mine.get_mut(place_of(number)).filter(|call| call.number == number)
    }

    pub(super) fn insert_theirs(&mut self, number: u32, max: usize) -> Result<&mut Job, NoPlace> {
        let place = place_of(number);
        if self.theirs.get(place).is_some_and(Option::is_some) {
            return Err(NoPlace::Taken);
        }
        if self.theirs_len >= max {
            return Err(NoPlace::Full);
        }
        if self.theirs.len() <= place {
            self.theirs.resize_with(place + 1, || None);
        }
        self.theirs_len += 1;
        let job = Job { number, task: None, answered: false, streams: Streams::default() };
        Ok(self.theirs[place].insert(job))
    }

    pub(super) fn theirs(&mut self, number: u32) -> Option<&mut Job> {
        self.theirs.get_mut(place_of(number))?.as_mut().filter(|job| job.number == number)
    }

    /// The call's streams, whoever made it.
    pub(super) fn streams(&mut self, call: CallRef) -> Option<&mut Streams> {
        match call.maker {
            Maker::Sender => self.mine(call.number).map(|call| &mut call.streams),
            Maker::Receiver => self.theirs(call.number).map(|job| &mut job.streams),
        }
    }

    pub(super) fn remove_mine(&mut self, number: u32) -> Option<Call> {
        self.mine(number)?;
        self.mine.try_remove(place_of(number))
    }

    pub(super) fn remove_theirs(&mut self, number: u32) -> Option<Job> {
        self.theirs(number)?;
        self.remove_theirs_at(number)
    }

    /// Whichever call of the other side has the place of this number.
    pub(super) fn remove_theirs_at(&mut self, number: u32) -> Option<Job> {
        let job = self.theirs.get_mut(place_of(number))?.take()?;
        self.theirs_len -= 1;
        Some(job)
    }

    /// Frees the call's place if nothing more comes about it.
    pub(super) fn release(&mut self, call: CallRef) {
        match call.maker {
            Maker::Sender => {
                let is_over = |call: &mut Call| {
                    matches!(call.answer, Answer::Taken) && call.streams.are_over()
                };
                if self.mine(call.number).is_some_and(is_over) {
                    self.remove_mine(call.number);
                }
            }
            Maker::Receiver => {
                if self
                    .theirs(call.number)
                    .is_some_and(|job| job.answered && job.streams.are_over())
                {
                    self.remove_theirs(call.number);
                }
            }
        }
    }

    /// Forgets the calls of this side that were only kept for their streams.
    pub(super) fn forget_taken(&mut self) {
        self.mine.retain(|_, call| !matches!(call.answer, Answer::Taken));
    }

    /// Every call of the other side, taken out.
    pub(super) fn drain_theirs(&mut self) -> Vec<Job> {
        self.theirs_len = 0;
        self.theirs.drain(..).flatten().collect()
    }

    /// Every call of this side, in place.
    pub(super) fn mine_all(&mut self) -> impl Iterator<Item = &mut Call> {
        self.mine.iter_mut().map(|(_, call)| call)
    }
}
