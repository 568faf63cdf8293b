//! wadm at work: it knows what is declared and what is there, and under the lease has hosts make the one like the other.
//!
//! One task owns everything that is known. Each round looks at a snapshot of it, and what is to be done goes out in tasks of its own.

mod act;
mod identity;
mod lease;
mod news;
mod observe;
mod probes;
mod questions;
mod requests;
mod rollouts;
mod round;
mod status;
mod versions;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};
use wattle_claims::{Lease, Timestamp};
use wattle_core::{HostKey, Name};
use wattle_lattice::{ControlServer, RecordChange};

pub use self::identity::{AgentConfig, AgentError};
use self::{
    act::Done,
    identity::{Identity, SignFailed},
    lease::{Held, Keeper, Seen},
    probes::Probes,
    questions::Questions,
    requests::Told,
    rollouts::{Pending, Trials},
    view::View,
};
use crate::reconcile::Reconciler;

/// Between two looks whether a round is due.
const TICK: Duration = Duration::from_millis(250);
/// Without anything new, a round is due after this.
const ROUND_EVERY: Duration = Duration::from_secs(2);
/// Not more often than this: what comes together is looked at together.
const ROUND_GAP: Duration = Duration::from_millis(100);
/// How long hosts are listened to before anything is done: each beats once in this time.
const LISTEN: Duration = Duration::from_millis(1_500);
/// How long, after that, hosts are waited for that beat and have not said yet what they run, before anything is done for the first
/// time: when all start at once, what they run is not to be started elsewhere. One that starts slowly takes so long.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// A tick that is later than this means that we stood still.
const STALL: Duration = Duration::from_millis(1_500);
/// News that wait for us.
const NEWS_MAX: usize = 1_024;
/// Before the store, or the beats, are tried again.
const RETRY: Duration = Duration::from_secs(2);

/// A wadm in this process. Dropping it stops it without laying down its lease.
pub struct Agent {
    stop: watch::Sender<bool>,
    keeper: JoinHandle<()>,
    worker: JoinHandle<()>,
    _readers: JoinSet<()>,
}

/// Something that the worker has to know.
enum News {
    Record(RecordChange),
    Beat(HostKey, String),
}

impl Agent {
    /// Starts it. It needs no connection yet, and survives the loss of one. Must be called in a tokio runtime.
    pub fn start(config: AgentConfig) -> Result<Self, AgentError> {
        let identity = Identity::establish(config)?;
        let (stop, stopped) = watch::channel(false);
        let (sees, seen) = watch::channel(Seen::Unread);
        let (keeper, lease) = Keeper::new(identity.clone(), seen);
        let (send, news) = mpsc::channel(NEWS_MAX);
        let mut readers = JoinSet::new();
        readers.spawn(read_records(identity.clone(), send.clone(), sees));
        readers.spawn(read_beats(identity.clone(), send));
        let worker = Worker::new(identity, lease);
        let keeper = tokio::spawn(keeper.run(stopped.clone()));
        let worker = tokio::spawn(worker.run(news, stopped));
        Ok(Self { stop, keeper, worker, _readers: readers })
    }

    /// Stops acting and lays down the lease, so that another one takes it at once.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _: Result<_, _> = tokio::join!(self.worker, self.keeper).0;
    }
}

/// Reads the store for as long as somebody listens: the lease for who keeps it, everything else for the worker.
async fn read_records(identity: Identity, news: mpsc::Sender<News>, lease: watch::Sender<Seen>) {
    let own = Lease::key(&identity.account);
    let mut connected = identity.lattice.connected();
    while connected.wait_for(|connected| *connected).await.is_ok() {
        let changes = async { identity.lattice.records().await?.watch().await }.await;
        match changes {
            Ok(mut changes) => {
                while let Some(change) = changes.next().await {
                    match &change {
                        RecordChange::Put { key, token, revision, stored_s } if *key == own => {
                            let put = Seen::Put {
                                token: token.clone(),
                                revision: *revision,
                                stored: Timestamp::from_secs(*stored_s),
                                since: Instant::now(),
                            };
                            see(&lease, put);
                            continue;
                        }
                        RecordChange::Gone { key } if *key == own => see(&lease, Seen::Absent),
                        RecordChange::Listing { replaced: true } => see(&lease, Seen::Unread),
                        RecordChange::Listed if *lease.borrow() == Seen::Unread => {
                            see(&lease, Seen::Absent);
                        }
                        _ => {}
                    }
                    if news.send(News::Record(change)).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => debug!(%error, "the lattice's store is out of reach"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// What is listed again is no newer for that.
fn see(lease: &watch::Sender<Seen>, seen: Seen) {
    lease.send_if_modified(|known| {
        let revision = |seen: &Seen| match seen {
            Seen::Put { revision, .. } => Some(*revision),
            Seen::Unread | Seen::Absent => None,
        };
        let is_known = revision(known).is_some() && revision(known) == revision(&seen);
        if !is_known {
            *known = seen;
        }
        !is_known
    });
}

async fn read_beats(identity: Identity, news: mpsc::Sender<News>) {
    loop {
        match identity.lattice.beats().await {
            Ok(mut beats) => {
                while let Some((host, token)) = beats.next().await {
                    if news.send(News::Beat(host, token)).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => debug!(%error, "hosts cannot be heard"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// The one owner of what is known.
struct Worker {
    identity: Identity,
    lease: watch::Receiver<Option<Held>>,
    view: View,
    reconciler: Reconciler,
    trials: Trials,
    probes: Probes,
    pending: BTreeMap<Name, Pending>,
    /// Applications whose rollout is being written.
    writing: BTreeSet<Name>,
    /// How many hosts were lost when we looked the last time.
    lost: usize,
    /// When something of an application could not be written down.
    failed: BTreeMap<Name, Instant>,
    questions: Questions,
    /// When hosts were last told again of links that do not hold.
    retried: BTreeMap<Name, Instant>,
    tasks: JoinSet<Done>,
    /// When time began.
    start: Instant,
    /// From when on enough has been heard to act.
    steady: Instant,
    last_round: Option<Instant>,
    is_due: bool,
    term: Option<u64>,
    told: Arc<Mutex<Told>>,
    /// Events that were told under this term.
    events: u64,
    /// Takes questions while we hold the lease.
    requests: Option<ControlServer>,
}

impl Worker {
    fn new(identity: Identity, lease: watch::Receiver<Option<Held>>) -> Self {
        let now = Instant::now();
        Self {
            identity,
            lease,
            view: View::default(),
            reconciler: Reconciler::default(),
            trials: Trials::default(),
            probes: Probes::default(),
            pending: BTreeMap::new(),
            writing: BTreeSet::new(),
            lost: 0,
            failed: BTreeMap::new(),
            questions: Questions::default(),
            retried: BTreeMap::new(),
            tasks: JoinSet::new(),
            start: now,
            steady: now + LISTEN,
            last_round: None,
            is_due: true,
            term: None,
            told: Arc::default(),
            events: 0,
            requests: None,
        }
    }

    async fn run(mut self, mut news: mpsc::Receiver<News>, mut stop: watch::Receiver<bool>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticked = Instant::now();
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let stood_still = ticked.elapsed() > STALL;
                    ticked = Instant::now();
                    if stood_still || !*self.identity.lattice.connected().borrow() {
                        // Who heard nobody for reasons of its own says nothing about the others.
                        self.view.forgive_silence();
                        self.steady = Instant::now() + LISTEN;
                    }
                    self.view.forget_long_lost();
                    // Silence is no news that would come by itself.
                    let lost = self.view.notice_lost();
                    self.is_due |= std::mem::replace(&mut self.lost, lost) != lost;
                }
                Some(news) = news.recv() => self.hear(news),
                Some(done) = self.tasks.join_next() => match done {
                    Ok(done) => self.take_in(done),
                    Err(error) => {
                        // Which one it was, it cannot say any more.
                        warn!(%error, "a task of wadm's failed");
                        self.writing.clear();
                        self.probes.forget_asked();
                        let commands = self.questions.lose();
                        self.answer(commands, &Ok(()));
                    }
                },
                _ = stop.wait_for(|stop| *stop) => return,
            }
            self.look_at_the_lease();
            if self.is_round_due() {
                self.round();
            }
        }
    }

    fn hear(&mut self, news: News) {
        let identity = self.identity.clone();
        match news {
            News::Record(RecordChange::Put { key, token, revision, .. }) => {
                self.is_due |= self.view.read(&identity, &key, &token, revision);
            }
            News::Record(RecordChange::Listed) => {
                self.is_due |= !self.view.is_listed;
                self.view.is_listed = true;
            }
            News::Record(RecordChange::Gone { .. } | RecordChange::Listing { .. }) => {}
            News::Beat(host, token) => {
                self.is_due |= self.view.hear(&identity, host.clone(), &token);
                self.ask(host);
            }
        }
    }

    /// Has a host say what it runs, if what is known of it is old.
    fn ask(&mut self, host: HostKey) {
        let is_stale = self.view.hosts.get(&host).is_some_and(view::HostView::is_stale);
        if is_stale || self.questions.is_wanted(&host) {
            self.ask_anew(host);
        }
    }

    fn look_at_the_lease(&mut self) {
        let term = self.held().map(|held| held.term);
        if term == self.term {
            return;
        }
        // What another one had under way, it cannot know; and what this one had under way counts no more.
        self.reconciler = Reconciler::default();
        self.trials = Trials::default();
        self.probes = Probes::default();
        self.questions.forget_waiting();
        self.pending.clear();
        (self.term, self.events) = (term, 0);
        self.is_due = true;
        // Asked it is once it knows something: after its first round.
        self.requests = None;
        *self.told.lock() = Told::default();
        match term {
            Some(term) => info!(term, host = %self.identity.host, "wadm acts"),
            None => info!("wadm waits for the lease"),
        }
    }

    /// The lease, if it is ours and has time left.
    fn held(&self) -> Option<Held> {
        self.lease.borrow().filter(Held::is_valid)
    }

    fn is_round_due(&self) -> bool {
        let since = self.last_round.map_or(Duration::MAX, |last| last.elapsed());
        self.term.is_some()
            && self.view.is_listed
            && Instant::now() >= self.steady
            && self.has_heard_all()
            && (since >= ROUND_EVERY || (self.is_due && since >= ROUND_GAP))
    }

    /// Whether what hosts run is known well enough for a first round.
    fn has_heard_all(&self) -> bool {
        let mut hosts = self.view.hosts.values();
        self.last_round.is_some()
            || Instant::now() >= self.steady + ANSWER_MAX
            || hosts.all(|host| host.is_lost() || host.inventory.is_some())
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
