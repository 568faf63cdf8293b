//! What a host does by itself: it looks at the clock, tells what happened, shows signs of life, and keeps the lattice's store in
//! step with what it knows.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};
use wattle_claims::{LEEWAY, Lease, ProviderLease, Timestamp};
use wattle_core::{
    beat::{BEAT_INTERVAL_MS, Beat},
    event::{CloudEvent, Event},
};
use wattle_lattice::{RecordChange, Records, RecordsError};

use crate::{
    builtin::lattice_control::watchers::Watchers, control::Control, lookout, placement,
    provider_leases, providers::Want, records::Source,
};

/// Between two looks at the clock: a grant that expires is refused within this time.
const CLOCK_INTERVAL: Duration = Duration::from_millis(250);

/// Clock looks between two sweeps for claims that stopped holding, and between two writes of the time.
const LOOKS_PER_SWEEP: u32 = 4;
const LOOKS_PER_KEEP: u32 = 40;

/// Before the store is tried again after it failed, and what it could not be told, or what of it could not be taken.
const STORE_RETRY: Duration = Duration::from_secs(2);

const OWED_RETRY_MAX: Duration = Duration::from_secs(60);

/// Changes of the store that come within this time are judged together: a host that joins reads all of it at once.
const SETTLE_AFTER: Duration = Duration::from_millis(250);

/// Before a record that there was no room for is tried again.
const ROOM_RETRY: Duration = Duration::from_secs(10);

/// Records that may hold later; further ones wait for the next listing.
const EARLY_MAX: usize = 10_000;

/// Starts everything that a host does by itself; it ends when the set is dropped.
pub(crate) fn start(
    control: &Arc<Control>,
    events: mpsc::Receiver<Event>,
    lease_wants: mpsc::Receiver<Want>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(look_at_the_clock(control.clone()));
    tasks.spawn(tell(control.clone(), events));
    tasks.spawn(beat(control.clone()));
    tasks.spawn(keep_the_store_in_step(control.clone()));
    tasks.spawn(pay_what_is_owed(control.clone()));
    tasks.spawn(placement::keep_telling(control.clone()));
    tasks.spawn(lookout::keep_watch(control.clone()));
    tasks.spawn(provider_leases::keep_all(control.clone(), lease_wants));
    tasks
}

async fn look_at_the_clock(control: Arc<Control>) {
    let mut ticks = interval(CLOCK_INTERVAL);
    let mut look = 0_u32;
    let mut is_ahead = false;
    loop {
        ticks.tick().await;
        look = look.wrapping_add(1);
        control.clock.advance();
        control.reports.flush();
        if look.is_multiple_of(LOOKS_PER_SWEEP) {
            control.registry.sweep();
            if let Some(sessions) = control.router.elsewhere().sessions() {
                let (trust, now) = (control.registry.trust(), control.registry.now());
                sessions.keep(|peer| peer.standing(&trust, now).is_ok());
            }
        }
        let ahead = control.clock.ahead();
        if let Some((ahead, file)) = ahead.filter(|_| !is_ahead) {
            // A board without a clock starts like this, and so does one whose clock was wrong once.
            warn!(
                ?ahead,
                file = %file.display(),
                "the system's clock is behind what it was: what this host signs may be too early for others. If the clock is right \
                 now, stop the host and remove the file"
            );
        }
        is_ahead = ahead.is_some();
        if look.is_multiple_of(LOOKS_PER_KEEP)
            && let Err(error) = control.clock.keep()
        {
            warn!(%error, "the time cannot be kept");
        }
    }
}

/// Publishes events, and tells actors that watch; without NATS they are counted as dropped by the lattice.
async fn tell(control: Arc<Control>, mut events: mpsc::Receiver<Event>) {
    let run = format!("{:016x}", rand::random::<u64>());
    let (mut number, mut watchers) = (0, Watchers::default());
    while let Some(event) = events.recv().await {
        number += 1;
        let time = control.registry.now().to_string();
        let event =
            CloudEvent::new(&control.lattice_name, &control.host, &run, number, time, event);
        control.lattice.publish_event(&event);
        watchers.tell(&control, &event);
    }
}

async fn beat(control: Arc<Control>) {
    let mut ticks = interval(Duration::from_millis(BEAT_INTERVAL_MS));
    loop {
        ticks.tick().await;
        if !*control.lattice.connected().borrow() {
            continue;
        }
        if let Some(token) = sign_beat(&control) {
            control.lattice.publish_beat(&control.host, &token);
        }
    }
}

fn sign_beat(control: &Control) -> Option<String> {
    let (actors, providers, in_flight) = control.registry.look(|view| {
        let in_flight = view.actors.values().map(|running| running.actor.gate.inside()).sum();
        (view.actors.len(), view.providers.len(), in_flight)
    });
    let beat = Beat {
        name: control.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: control.started.elapsed().as_secs(),
        actors: u32::try_from(actors).unwrap_or(u32::MAX),
        providers: u32::try_from(providers).unwrap_or(u32::MAX),
        in_flight,
        labels: control.labels.clone(),
        draining: control.is_leaving(),
        running: control.running_number(),
    };
    let signed = control.sign_as_host(control.host.to_string(), beat);
    signed.inspect_err(|error| warn!(%error, "no beat")).ok().map(|beat| beat.text().to_owned())
}

/// Reads what others put into the store, and puts back what is missing there: absence changes nothing here.
async fn keep_the_store_in_step(control: Arc<Control>) {
    let mut connected = control.lattice.connected();
    loop {
        if connected.wait_for(|connected| *connected).await.is_err() {
            return;
        }
        if let Err(error) = follow(&control).await {
            debug!(%error, "the lattice's store is out of reach");
        }
        control.registry.settle_records();
        tokio::time::sleep(STORE_RETRY).await;
    }
}

/// Tells the store what it could not be told before: less often as long as it cannot be.
async fn pay_what_is_owed(control: Arc<Control>) {
    let mut pause = STORE_RETRY;
    loop {
        tokio::time::sleep(pause).await;
        pause = match *control.lattice.connected().borrow() && !control.share_owed().await {
            true => (pause * 2).min(OWED_RETRY_MAX),
            false => STORE_RETRY,
        };
    }
}

async fn follow(control: &Arc<Control>) -> Result<(), RecordsError> {
    let records = control.lattice.records().await?;
    let mut changes = records.watch().await?;
    let mut reader = Reader { control, records, listed: HashSet::new(), early: BTreeMap::new() };
    let mut retries = interval(STORE_RETRY);
    retries.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut settled = Instant::now();
    loop {
        // What comes together is judged together, and not much later.
        let next = match settled.elapsed() < SETTLE_AFTER {
            true => changes.next().now_or_never(),
            false => None,
        };
        let change = match next {
            Some(change) => change,
            None => {
                control.registry.settle_records();
                settled = Instant::now();
                tokio::select! {
                    change = changes.next() => change,
                    _ = retries.tick() => {
                        reader.retry().await?;
                        continue;
                    }
                }
            }
        };
        let Some(change) = change else { return Ok(()) };
        reader.take(change).await?;
    }
}

/// A record that may hold later.
struct Early {
    token: String,
    revision: u64,
    not_before: Timestamp,
}

/// Reads the store's changes.
struct Reader<'a> {
    control: &'a Arc<Control>,
    records: Records,
    /// Keys that the listing under way has told of.
    listed: HashSet<String>,
    /// Records that were issued later than it is here, or that there was no room for, by key: they are tried again.
    early: BTreeMap<String, Early>,
}

impl Reader<'_> {
    async fn take(&mut self, change: RecordChange) -> Result<(), RecordsError> {
        let control = self.control;
        match change {
            RecordChange::Listing { .. } => {
                self.listed.clear();
                control.leases.forget();
                control.provider_leases.listing();
            }
            RecordChange::Put { key, token, revision, .. } if Lease::is_key(&key) => {
                control.read_lease(&key, &token, revision);
            }
            RecordChange::Put { key, token, revision, .. } if ProviderLease::is_key(&key) => {
                control.provider_leases.saw(&key, &token, revision);
            }
            RecordChange::Put { key, token, revision, .. } => {
                self.read(&key, token, revision).await?;
                self.listed.insert(key);
            }
            RecordChange::Gone { key } if ProviderLease::is_key(&key) => {
                control.provider_leases.gone(&key);
            }
            RecordChange::Gone { key } => {
                self.early.remove(&key);
                put_back(control, &self.records, &key, 0).await?;
            }
            RecordChange::Listed => {
                control.provider_leases.listed();
                put_back_all_but(control, &self.records, &self.listed).await?;
            }
        }
        Ok(())
    }

    /// A record in the store is worth what its signatures are worth.
    async fn read(&mut self, key: &str, token: String, revision: u64) -> Result<(), RecordsError> {
        let registry = &self.control.registry;
        self.early.remove(key);
        if registry.has_record(key, &token) {
            return Ok(());
        }
        match registry.take_record(&token, Source::Store(key)) {
            Ok(admitted) => {
                debug!(key, ?admitted, "record from the store");
                if registry.record_text(key).is_none_or(|known| known == token) {
                    return Ok(());
                }
            }
            // It may be right, and nobody else is to be told otherwise.
            Err(error) if error.is_for_now() => {
                debug!(key, %error, "a record that may hold later");
                if self.early.len() < EARLY_MAX {
                    let retry = registry.now().plus(LEEWAY + ROOM_RETRY);
                    let not_before = error.early().unwrap_or(retry);
                    self.early.insert(key.to_owned(), Early { token, revision, not_before });
                }
                return Ok(());
            }
            Err(error) => {
                self.control.reports.refused("record in the store", &error.to_string());
            }
        }
        // What stands there is not what this host knows: others should see the good one.
        put_back(self.control, &self.records, key, revision).await
    }

    async fn retry(&mut self) -> Result<(), RecordsError> {
        let now = self.control.registry.now().plus(LEEWAY);
        let due: Vec<String> = self
            .early
            .iter()
            .filter(|(_, early)| early.not_before <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            if let Some(Early { token, revision, .. }) = self.early.remove(&key) {
                self.read(&key, token, revision).await?;
            }
        }
        Ok(())
    }
}

async fn put_back_all_but(
    control: &Control,
    records: &Records,
    there: &HashSet<String>,
) -> Result<(), RecordsError> {
    let mut missing = 0;
    for key in control.registry.record_keys().into_iter().map(|key| key.to_string()) {
        if !there.contains(&key) {
            missing += 1;
            put_back(control, records, &key, 0).await?;
        }
    }
    if missing > 0 {
        info!(missing, "the lattice's store lacked records, which were put back");
    }
    Ok(())
}

async fn put_back(
    control: &Control,
    records: &Records,
    key: &str,
    revision: u64,
) -> Result<(), RecordsError> {
    let Some(text) = control.registry.record_text(key) else { return Ok(()) };
    match records.put(key, &text, Some(revision)).await {
        // Somebody else was faster: the watch tells what they put.
        Ok(_) | Err(RecordsError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
