//! All sessions of a host: found for calls, found for messages, made and ended.

mod incoming;
mod outgoing;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use async_nats::Subscriber;
use bytes::Bytes;
use futures::future::{join_all, try_join, try_join_all};
use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as AsyncMutex, Semaphore, mpsc},
    task::JoinSet,
    time::timeout,
};
use wattle_core::{CallError, HostKey, SessionId, Subject};
use wattle_wire::{Closed, Connection};

use self::incoming::Hellos;
use super::{
    Identity, Peer, Refused, SessionSettings, handshake::Agreed, refused::Counts, session::Session,
};
use crate::{Lattice, SubscribeError};

/// Handshakes of others that are worked on at once: each costs some signatures.
const HANDSHAKES_MAX: usize = 8;

/// The sessions of one host. Clones share them.
pub struct Sessions<I>(Arc<Table<I>>);

pub(super) struct Table<I> {
    /// Each lane's connection to NATS, so that a call's messages cross no thread.
    lanes: Vec<Lattice>,
    identity: I,
    settings: SessionSettings,
    counts: Counts,
    hellos: Mutex<Hellos>,
    handshakes: Arc<Semaphore>,
    /// A number of this process.
    run: SessionId,
    /// The lane of the next session that another host begins.
    next_lane: AtomicUsize,
    state: Mutex<State>,
    /// The tasks that take messages; they end with the table.
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct State {
    /// By this side's number.
    slots: HashMap<SessionId, Slot>,
    /// Sessions for calls of this host, each from one lane.
    to: HashMap<HostKey, HashMap<usize, Arc<Session>>>,
    /// One task of a lane at a time makes a session to a host; it notes when it could not.
    making: HashMap<(HostKey, usize), Making>,
    /// Sessions that were agreed to and not confirmed, the oldest first.
    agreed: VecDeque<(Instant, SessionId)>,
}

/// When a session could not be made the last time.
type Making = Arc<AsyncMutex<Option<Instant>>>;

enum Slot {
    /// This side asked; what comes for it goes here.
    Asked(mpsc::Sender<Heard>),
    /// This side agreed.
    Agreed(Box<Agreed>),
    Open(Arc<Session>),
}

/// What came for a session that was asked for.
enum Heard {
    /// A welcome, as its sender says.
    Welcome(Bytes),
    /// NATS says that nobody is there.
    Nobody,
}

impl<I: Identity> Sessions<I> {
    /// Takes calls of other hosts, and makes sessions as calls of this one need them. Each lane has a connection, at least one
    /// and at most 256; what is not a lane's comes over `lattice`.
    ///
    /// # Errors
    /// NATS cannot be listened to.
    pub async fn start(
        lattice: &Lattice,
        lanes: Vec<Lattice>,
        identity: I,
        settings: SessionSettings,
    ) -> Result<Self, SubscribeError> {
        assert!((1..=256).contains(&lanes.len()), "{} lanes", lanes.len());
        let table = Arc::new(Table {
            lanes,
            identity,
            settings,
            counts: Counts::default(),
            hellos: Mutex::default(),
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            run: SessionId::from_u64(rand::random()),
            next_lane: AtomicUsize::new(0),
            state: Mutex::default(),
            tasks: Mutex::default(),
        });
        let lanes = (0..=u8::MAX).zip(&table.lanes);
        let subscribed =
            try_join_all(lanes.map(|(lane, lattice)| table.subscribe(lane, lattice))).await?;
        // Last: who says hello is answered, and goes on with a lane that hears it.
        let hellos = lattice.listen(table.call_subject(table.identity.host(), None)).await?;
        let mut tasks = table.tasks.lock();
        tasks.spawn(incoming::take_all(Arc::downgrade(&table), hellos));
        for ((lane, lattice), messages) in (0..=u8::MAX).zip(&table.lanes).zip(subscribed) {
            let runtime = table.identity.runtime(usize::from(lane));
            for messages in messages {
                tasks.spawn_on(incoming::take_all(Arc::downgrade(&table), messages), &runtime);
            }
            let end = end_with_the_connection(Arc::downgrade(&table), lane, lattice.clone());
            tasks.spawn_on(end, &runtime);
        }
        drop(tasks);
        Ok(Self(table))
    }

    /// The connection for calls to `host` from this lane, over the lane's session with it, which is made if there is none.
    ///
    /// # Errors
    /// `Unavailable`: it cannot be reached.
    pub async fn connect(&self, host: &HostKey, lane: usize) -> Result<Connection, CallError> {
        Ok(self.0.session(host, lane).await?.connection.clone())
    }

    /// What was refused so far, and why.
    pub fn refused(&self) -> Vec<(Refused, u64)> {
        self.0.counts.read()
    }

    /// How many there are, of both directions.
    pub fn count(&self) -> u32 {
        u32::try_from(self.0.open().len()).unwrap_or(u32::MAX)
    }

    /// Calls of this host that are under way to `host`.
    pub fn in_flight(&self, host: &HostKey) -> usize {
        let state = self.0.state.lock();
        let lanes = state.to.get(host).into_iter().flat_map(HashMap::values);
        lanes.map(|session| session.connection.in_flight()).sum()
    }

    /// Ends the sessions with peers whose tokens do not hold any more.
    pub fn keep(&self, holds: impl Fn(&Peer) -> bool) {
        for session in self.0.open() {
            if !holds(&session.peer) {
                tracing::warn!(host = %session.host, "the claims of a host do not hold any more: its session ends");
                session.end();
            }
        }
    }

    /// Leaves the lattice: other hosts are asked to make no more calls, and to end the sessions when those under way are done;
    /// what is not done within `wait` is cut.
    pub async fn leave(&self, wait: Duration) {
        let (own, others): (Vec<_>, Vec<_>) =
            self.0.open().into_iter().partition(|session| session.is_for_own_calls());
        others.iter().for_each(|session| session.leave());
        own.iter().for_each(|session| session.end());
        let ended = join_all(others.iter().map(|session| session.connection.closed()));
        if timeout(wait, ended).await.is_err() {
            others.iter().for_each(|session| session.end());
        }
        join_all(self.0.lanes.iter().map(|lattice| lattice.flush(wait))).await;
    }
}

impl<I: Identity> Table<I> {
    /// To what a lane hears: calls of others, and replies to its own.
    async fn subscribe(
        &self,
        lane: u8,
        lattice: &Lattice,
    ) -> Result<[Subscriber; 2], SubscribeError> {
        let host = self.identity.host();
        let calls = lattice.listen(self.call_subject(host, Some(lane)));
        let replies = lattice.listen(Subject::all_replies(lattice.name(), host, lane));
        let (calls, replies) = try_join(calls, replies).await?;
        Ok([calls, replies])
    }

    /// The connection of one of this side's sessions.
    fn lattice(&self, session: SessionId) -> &Lattice {
        &self.lanes[usize::from(session.lane()) % self.lanes.len()]
    }

    /// The lane of this number; past the last they start again at the first.
    fn lane(&self, number: usize) -> u8 {
        u8::try_from(number % self.lanes.len()).expect("there are at most 256 lanes")
    }

    fn call_subject(&self, host: &HostKey, lane: Option<u8>) -> String {
        let lattice = self.lanes[0].name().clone();
        Subject::Call { lattice, host: host.clone(), lane }.to_string()
    }

    fn open(&self) -> Vec<Arc<Session>> {
        let state = self.state.lock();
        let open = state.slots.values().filter_map(|slot| match slot {
            Slot::Open(session) => Some(Arc::clone(session)),
            _ => None,
        });
        open.collect()
    }

    fn refuse(&self, why: Refused) {
        self.counts.count(why);
        self.identity.refused(why);
    }

    /// Forgets a session that ended. The other lanes' sessions with that host are asked whether it is still there: if it was started
    /// again, each of them would else let a call find out for itself.
    fn forget(&self, session: &Session) {
        let mut state = self.state.lock();
        state.slots.remove(&session.id);
        let mut others = Vec::new();
        if let Some(lanes) = state.to.get_mut(&session.host) {
            lanes.retain(|_, known| known.id != session.id);
            others.extend(lanes.values().cloned());
            if lanes.is_empty() {
                state.to.remove(&session.host);
            }
        }
        drop(state);
        for other in others {
            tokio::spawn(async move { other.probe().await });
        }
    }
}

/// Nobody can find the sessions any more; nor should they go on by themselves.
impl<I> Drop for Table<I> {
    fn drop(&mut self) {
        for slot in self.state.get_mut().slots.values() {
            if let Slot::Open(session) = slot {
                session.connection.fail(&Closed::Here);
            }
        }
    }
}

/// What was under way when NATS went may be lost: whoever waits is told, and sessions begin anew when it is back.
async fn end_with_the_connection<I: Identity>(
    table: std::sync::Weak<Table<I>>,
    lane: u8,
    lattice: Lattice,
) {
    let mut connected = lattice.connected();
    loop {
        lattice.lost().await;
        let Some(table) = table.upgrade() else { return };
        let open = table.open();
        let of_lane = open.iter().filter(|session| session.id.lane() == lane);
        of_lane.for_each(|session| session.connection.fail(&Closed::There));
        drop((open, table));
        if connected.wait_for(|connected| *connected).await.is_err() {
            return;
        }
    }
}

impl<I> Clone for Sessions<I> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<I> fmt::Debug for Sessions<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("refused", &self.0.counts.read()).finish()
    }
}
