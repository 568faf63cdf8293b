//! A link's places for connections, and whose turn it is.
//!
//! A connection is driven by the lane that opened it. Whoever uses it on another has to wake that one twice for each statement,
//! which costs more than the statement. So each lane's callers get their own lane's connections where there are some, as long as
//! nobody is passed over for long.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
};

use tokio::sync::oneshot;

use super::{Shared, waiting::Held};
use crate::session::Session;

/// How often whoever waits longest is passed over by others whose lane the free connection is of.
const PASSED_OVER_MAX: u32 = 4;

/// How many of those that wait longest are looked at for one of the connection's own lane.
const LOOKED_AT: usize = 32;

/// What is free, and who waits for it.
pub(super) struct Places(Mutex<State>);

struct State {
    /// Places that no connection has.
    vacant: usize,
    /// Connections with nothing under way, the last used first; none any more once the link is gone.
    #[allow(clippy::vec_box, reason = "they go from hand to hand, and are large")]
    idle: Option<Vec<Box<Session>>>,
    waiting: VecDeque<Waiting>,
    /// Those that this link's calls have been seen on. A connection holds its own as long as it is there.
    lanes: Vec<Arc<Lane>>,
}

/// A thread that drives connections.
#[derive(Debug)]
pub(crate) struct Lane(ThreadId);

struct Waiting {
    lane: ThreadId,
    passed_over: u32,
    turn: oneshot::Sender<Place>,
}

/// What a caller gets at once, or has to wait for.
pub(super) enum Turn {
    Now(Place),
    /// What it takes counts until the place is there, or the caller is gone.
    Later(oneshot::Receiver<Place>, Held),
    /// So many wait, or so large ones, that this one may not.
    Never,
    /// The link does not hold any more.
    Gone,
}

/// One connection's place in somebody's hands. Dropping it hands it on, with the connection if there is one.
pub(super) struct Place {
    /// None once somebody else has it.
    shared: Option<Arc<Shared>>,
    pub(super) session: Option<Box<Session>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.hand_on(self.session.take());
        }
    }
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        let state = State {
            vacant: count,
            idle: Some(Vec::new()),
            waiting: VecDeque::new(),
            lanes: Vec::new(),
        };
        Self(Mutex::new(state))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This thread.
    pub(super) fn lane(&self) -> Arc<Lane> {
        let here = thread::current().id();
        let mut state = self.lock();
        if let Some(lane) = state.lanes.iter().find(|lane| lane.0 == here) {
            return Arc::clone(lane);
        }
        let lane = Arc::new(Lane(here));
        state.lanes.push(Arc::clone(&lane));
        lane
    }

    /// Whether a connection is better made anew on this thread, since its own has more of them. It ends with all having as many.
    pub(super) fn is_better_here(&self, session: &Session) -> bool {
        let here = thread::current().id();
        if session.lane().0 == here {
            return false;
        }
        let state = self.lock();
        // The list has one of its own.
        let at_home = Arc::strong_count(session.lane()) - 1;
        let mine = state.lanes.iter().find(|lane| lane.0 == here);
        at_home > mine.map_or(0, |lane| Arc::strong_count(lane) - 1) + 1
    }

    /// Ends those that wait, and the connections that nobody uses.
    pub(super) fn clear(&self) {
        let mut state = self.lock();
        let (waiting, idle) = (
            std::mem::take(&mut state.waiting),
            state.idle.as_mut().map(std::mem::take).unwrap_or_default(),
        );
        state.vacant += idle.len();
        drop(state);
        drop((waiting, idle));
    }

    /// Ends all of it, for good.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        let (waiting, idle) = (std::mem::take(&mut state.waiting), state.idle.take());
        drop(state);
        drop((waiting, idle));
    }
}

impl Shared {
    /// A place for this caller, if no more than `waiting_max` wait already, and there is room for its bytes beside theirs.
    pub(super) fn turn(self: &Arc<Self>, waiting_max: usize, bytes: usize) -> Turn {
        let lane = thread::current().id();
        let mut state = self.places.lock();
        if state.idle.is_none() {
            return Turn::Gone;
        }
        let place = |session| Place { shared: Some(Arc::clone(self)), session };
        if let Some(session) = state.idle_for(lane) {
            return Turn::Now(place(Some(session)));
        }
        if state.vacant > 0 {
            state.vacant -= 1;
            return Turn::Now(place(None));
        }
        if state.waiting.len() >= waiting_max {
            return Turn::Never;
        }
        let Some(held) = self.waiting.hold(bytes) else { return Turn::Never };
        let (turn, later) = oneshot::channel();
        state.waiting.push_back(Waiting { lane, passed_over: 0, turn });
        Turn::Later(later, held)
    }

    /// Hands a place on to whoever is next, or keeps it.
    fn hand_on(self: Arc<Self>, mut session: Option<Box<Session>>) {
        let mut state = self.places.lock();
        while let Some(next) = state.next(session.as_deref()) {
            let place = Place { shared: Some(Arc::clone(&self)), session: session.take() };
            match next.turn.send(place) {
                Ok(()) => return,
                // It has gone meanwhile.
                Err(mut back) => {
                    session = back.session.take();
                    back.shared = None;
                }
            }
        }
        match (session, &mut state.idle) {
            (Some(session), Some(idle)) => idle.push(session),
            (gone, _) => {
                state.vacant += 1;
                drop(state);
                drop(gone);
            }
        }
    }
}

impl State {
    /// An idle connection, of this lane if there is one. What is closed goes.
    fn idle_for(&mut self, lane: ThreadId) -> Option<Box<Session>> {
        let idle = self.idle.as_mut()?;
        let before = idle.len();
        idle.retain(|session| !session.is_closed());
        self.vacant += before - idle.len();
        let own = idle.iter().rposition(|session| session.lane().0 == lane);
        own.or(idle.len().checked_sub(1)).map(|at| idle.remove(at))
    }

    /// Who is next: of those that wait longest the first of the connection's own lane, unless the very first has been passed over
    /// often enough.
    fn next(&mut self, session: Option<&Session>) -> Option<Waiting> {
        let own = session.and_then(|session| {
            let first = self.waiting.iter().take(LOOKED_AT);
            first.map(|waiting| waiting.lane).position(|lane| lane == session.lane().0)
        });
        let longest = self.waiting.front_mut()?;
        match own {
            Some(own) if own > 0 && longest.passed_over < PASSED_OVER_MAX => {
                longest.passed_over += 1;
                self.waiting.remove(own)
            }
            _ => self.waiting.pop_front(),
        }
    }
}
