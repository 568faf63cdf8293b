//! One link's timers, for as long as this host holds the link's lease.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard, oneshot},
    task::JoinSet,
};
use tracing::{info, warn};
use wattle_schedule::Tick;
use wattle_sdk::{
    Lease,
    handing::{End, Work},
};

use crate::{
    handover::{Owed, hand_over},
    ledger::Ledger,
    plan::{Past, Step, step},
    settings::{LinkSettings, Timing},
};

/// The wall clock is looked at again at the latest after this: it may have been set, or the machine may have slept.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A clock so far behind what was handed over last is wrong, or was.
const BEHIND_MAX_MS: i64 = 60 * 60 * 1_000;

/// A link with its timers.
pub(crate) struct Link {
    settings: LinkSettings,
    work: Arc<Work>,
    /// Which process this is, in notes.
    writer: u32,
    /// Ticks that are still to be handed over when a term ends, by their timers' names. Of one that was not yet handed over at all,
    /// nobody knows yet whether the note that it is was written.
    owed: Mutex<BTreeMap<String, Owed>>,
    /// One for each timer, in their order.
    turns: Vec<Turn>,
}

/// Held by the tick that a timer is handing over, which may be one of an earlier term; it leaves from when until when that was.
type Turn = Arc<AsyncMutex<Option<(i64, i64)>>>;
type Taken = OwnedMutexGuard<Option<(i64, i64)>>;

impl Link {
    pub(crate) fn new(settings: LinkSettings, work: Arc<Work>) -> Arc<Self> {
        let random = RandomState::new().hash_one(std::process::id());
        let writer = u32::try_from(random >> 32).unwrap_or_default();
        let turns = settings.timers.iter().map(|_| Turn::default()).collect();
        Arc::new(Self { settings, work, writer, owed: Mutex::default(), turns })
    }

    /// Runs the timers whenever this host holds the lease, until the link ends.
    pub(crate) async fn run(self: Arc<Self>, lease: Lease, mut end: End) {
        loop {
            let term = tokio::select! {
                biased;
                () = end.draining() => return,
                term = lease.held() => term,
            };
            let opened = Ledger::open(term, self.writer, &self.settings.timers, now_ms());
            let Ok((ledger, before)) = opened.await else {
                tokio::time::sleep(LOOK_EVERY).await; // the term is over
                continue;
            };
            if before != self.writer {
                // What was perhaps noted here, may have been noted and handed over by that process.
                self.owed.lock().retain(|_, owed| owed.again.is_some());
            }
            let (ledger, link) = (Arc::new(ledger), self.work.actor.link);
            info!(link, timers = self.settings.timers.len(), "this host's timers run");
            let mut timers = JoinSet::new();
            for (timing, turn) in self.settings.timers.iter().zip(&self.turns) {
                let timer = Timer {
                    link: Arc::clone(&self),
                    timing: timing.clone(),
                    turn: Arc::clone(turn),
                    ledger: Arc::clone(&ledger),
                    end: end.clone(),
                };
                timers.spawn(timer.run());
            }
            while timers.join_next().await.is_some() {}
            info!(link, "this host's timers rest");
        }
    }
}

/// One timer in one term of the lease.
struct Timer {
    link: Arc<Link>,
    timing: Timing,
    turn: Turn,
    ledger: Arc<Ledger>,
    end: End,
}

/// Why a timer does nothing more.
struct Over;

impl Timer {
    async fn run(mut self) {
        let _over = self.go_on().await;
    }

    /// Until the term, or the link, is over.
    async fn go_on(&mut self) -> Result<(), Over> {
        let turn = self.turn().await?;
        let last_ms = self.ledger.last_ms(&self.timing.name).await.ok_or(Over)?;
        if last_ms - now_ms() > BEHIND_MAX_MS {
            warn!(schedule = %self.timing.name, last_ms, "nothing is due before this machine's clock has passed the last tick: set the clock, or give the schedule another name");
        }
        match self.owed(last_ms) {
            Some(owed) => self.hand_over(owed, turn).await?,
            None => drop(turn),
        }
        let mut past = Past::resumed(last_ms);
        past.busy_ms = *self.turn().await?;
        loop {
            if !self.ledger.term.goes_on() {
                return Err(Over);
            }
            let now = now_ms();
            match step(&self.timing.schedule, self.link.settings.policy, past, now) {
                Step::Wait { until_ms } => {
                    past.rested();
                    self.wait(until_ms, now).await?;
                }
                Step::Drop { to_ms, missed } => {
                    info!(schedule = %self.timing.name, missed, "ticks were missed and are dropped");
                    past.dropped(to_ms, missed);
                    tokio::task::yield_now().await;
                }
                Step::Fire { due_ms, missed } => {
                    self.fire(due_ms, missed).await?;
                    past.handled(due_ms, now, now_ms());
                }
            }
        }
    }

    async fn wait(&mut self, until_ms: Option<i64>, now_ms: i64) -> Result<(), Over> {
        let pause = until_ms.and_then(|until_ms| u64::try_from(until_ms - now_ms).ok());
        let pause = pause.map_or(LOOK_EVERY, |ms| Duration::from_millis(ms).min(LOOK_EVERY));
        tokio::select! {
            biased;
            () = self.end.draining() => Err(Over),
            () = self.ledger.term.over() => Err(Over),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    /// Waits until no tick of this timer is being handed over: that of an earlier term may still be.
    async fn turn(&mut self) -> Result<Taken, Over> {
        tokio::select! {
            biased;
            () = self.end.draining() => Err(Over),
            () = self.ledger.term.over() => Err(Over),
            turn = Arc::clone(&self.turn).lock_owned() => Ok(turn),
        }
    }

    /// A tick that this process noted and has not handed over, or not with success, where no other host has noted one since.
    fn owed(&self, last_ms: i64) -> Option<Owed> {
        let owed = self.link.owed.lock().remove(&self.timing.name)?;
        if u64::try_from(last_ms) == Ok(owed.tick.due) {
            return Some(owed);
        }
        if owed.again.is_some() {
            let Tick { schedule, due, attempt, .. } = owed.tick;
            warn!(%schedule, due, attempt, "tick given up: another host has gone on");
        }
        None
    }

    /// Notes the tick, and hands it over if the note stands.
    async fn fire(&mut self, due_ms: i64, missed: u32) -> Result<(), Over> {
        let turn = self.turn().await?;
        let (name, due) = (self.timing.name.clone(), u64::try_from(due_ms).unwrap_or_default());
        let tick = Tick { schedule: name.clone(), due, missed, attempt: 1 };
        let owed = Owed { tick, again: None };
        self.link.owed.lock().insert(name.clone(), owed.clone());
        self.ledger.note(&self.timing, due_ms).await.map_err(|_lost| Over)?;
        self.link.owed.lock().remove(&name);
        self.hand_over(owed, turn).await
    }

    /// Waits until the actor is done with it, unless the term or the link ends before. The lease is kept that long, so that no other
    /// host begins the next tick meanwhile; where it is lost, this timer alone waits for it in the next term.
    async fn hand_over(&mut self, owed: Owed, mut turn: Taken) -> Result<(), Over> {
        let (link, ledger, end) = (self.link.clone(), self.ledger.clone(), self.end.clone());
        let (done, is_done) = oneshot::channel();
        let place = self.link.work.place().await;
        self.link.work.give(place, async move {
            let (name, from_ms) = (owed.tick.schedule.clone(), now_ms());
            let (actor, pace) = (&link.work.actor, &link.settings.pace);
            if let Some(owed) = hand_over(actor, pace, owed, &ledger.term, end).await {
                link.owed.lock().insert(name, owed);
            }
            *turn = Some((from_ms, now_ms()));
            drop((turn, ledger));
            let _over = done.send(());
        });
        tokio::select! {
            biased;
            () = self.end.draining() => Err(Over),
            () = self.ledger.term.over() => Err(Over),
            _ = is_done => Ok(()),
        }
    }
}

/// This machine's wall clock.
fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
