//! One link's timers, for as long as this host holds the link's lease.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;
use tokio::{sync::oneshot, task::JoinSet};
use tracing::{info, warn};
use wattle_schedule::Tick;
use wattle_sdk::{
    Lease,
    handing::{End, Work},
};

use crate::{
    handover::hand_over,
    ledger::{Book, Ledger},
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
    /// Ticks of which nobody knows yet whether the note that they are handed over was written.
    unsure: Mutex<BTreeMap<String, Tick>>,
}

impl Link {
    pub(crate) fn new(settings: LinkSettings, work: Arc<Work>) -> Arc<Self> {
        let random = RandomState::new().hash_one(std::process::id());
        let writer = u32::try_from(random >> 32).unwrap_or_default();
        Arc::new(Self { settings, work, writer, unsure: Mutex::default() })
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
            let (ledger, link) = (Arc::new(ledger), self.work.actor.link);
            info!(link, timers = self.settings.timers.len(), "this host's timers run");
            let mut timers = JoinSet::new();
            for timing in &self.settings.timers {
                let timer = Timer {
                    link: Arc::clone(&self),
                    timing: timing.clone(),
                    ledger: Arc::clone(&ledger),
                    end: end.clone(),
                };
                timers.spawn(timer.run(self.owed(timing, &before)));
            }
            while timers.join_next().await.is_some() {}
            info!(link, "this host's timers rest");
        }
    }

    /// A tick that this process noted without knowing whether it did, and has not handed over.
    fn owed(&self, timing: &Timing, before: &Book) -> Option<Tick> {
        let tick = self.unsure.lock().remove(&timing.name)?;
        let entry = before.entries.get(&timing.name).filter(|_| before.writer == self.writer)?;
        (u64::try_from(entry.last_ms) == Ok(tick.due)).then_some(tick)
    }
}

/// One timer in one term of the lease.
struct Timer {
    link: Arc<Link>,
    timing: Timing,
    ledger: Arc<Ledger>,
    end: End,
}

/// Why a timer does nothing more.
struct Over;

impl Timer {
    async fn run(mut self, owed: Option<Tick>) {
        let _over = self.go_on(owed).await;
    }

    /// Until the term, or the link, is over.
    async fn go_on(&mut self, owed: Option<Tick>) -> Result<(), Over> {
        let last_ms = self.ledger.last_ms(&self.timing.name).await.ok_or(Over)?;
        let mut past = Past::resumed(last_ms);
        if last_ms - now_ms() > BEHIND_MAX_MS {
            warn!(schedule = %self.timing.name, last_ms, "nothing is due before this machine's clock has passed the last tick: set the clock, or give the schedule another name");
        }
        if let Some(tick) = owed {
            self.hand_over(tick).await?;
        }
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

    /// Notes the tick, and hands it over if the note stands.
    async fn fire(&mut self, due_ms: i64, missed: u32) -> Result<(), Over> {
        let (name, due) = (self.timing.name.clone(), u64::try_from(due_ms).unwrap_or_default());
        let tick = Tick { schedule: name.clone(), due, missed, attempt: 1 };
        self.link.unsure.lock().insert(name.clone(), tick.clone());
        self.ledger.note(&self.timing, due_ms).await.map_err(|_lost| Over)?;
        self.link.unsure.lock().remove(&name);
        self.hand_over(tick).await
    }

    /// Waits until the actor is done with it, unless the link ends before. The lease is kept that long, so that no other host begins
    /// the next tick meanwhile.
    async fn hand_over(&mut self, tick: Tick) -> Result<(), Over> {
        let (link, ledger, end) = (self.link.clone(), self.ledger.clone(), self.end.clone());
        let (done, is_done) = oneshot::channel();
        let place = self.link.work.place().await;
        self.link.work.give(place, async move {
            hand_over(&link.work.actor, &link.settings.pace, tick, end).await;
            drop(ledger);
            let _link_ended = done.send(());
        });
        tokio::select! {
            biased;
            () = self.end.draining() => Err(Over),
            _ = is_done => Ok(()),
        }
    }
}

/// This machine's wall clock.
fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
