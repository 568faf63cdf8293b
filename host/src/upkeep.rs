//! What a host does by itself: it looks at the clock, tells what happened, shows signs of life, and keeps the lattice's store in
//! step with what it knows.

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::StreamExt;
use tokio::{sync::mpsc, task::JoinSet, time::interval};
use tracing::{debug, info, warn};
use wattle_claims::{Lease, ProviderLease};
use wattle_core::{
    beat::{BEAT_INTERVAL_MS, Beat},
    event::{CloudEvent, Event},
};
use wattle_lattice::{RecordChange, Records, RecordsError};

use crate::{
    builtin::lattice_control::watchers::Watchers, control::Control, lookout, placement,
    provider_leases, providers::Want,
};

/// Between two looks at the clock: a grant that expires is refused within this time.
const CLOCK_INTERVAL: Duration = Duration::from_millis(250);

/// Clock looks between two sweeps for claims that stopped holding, and between two writes of the time.
const LOOKS_PER_SWEEP: u32 = 4;
const LOOKS_PER_KEEP: u32 = 40;

/// Before the store is tried again after it failed.
const STORE_RETRY: Duration = Duration::from_secs(2);

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
    tasks.spawn(placement::keep_telling(control.clone()));
    tasks.spawn(lookout::keep_watch(control.clone()));
    tasks.spawn(provider_leases::keep_all(control.clone(), lease_wants));
    tasks
}

async fn look_at_the_clock(control: Arc<Control>) {
    let mut ticks = interval(CLOCK_INTERVAL);
    let mut look = 0_u32;
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
        tokio::time::sleep(STORE_RETRY).await;
    }
}

async fn follow(control: &Arc<Control>) -> Result<(), RecordsError> {
    let records = control.lattice.records().await?;
    let mut changes = records.watch().await?;
    let mut listed = HashSet::new();
    while let Some(change) = changes.next().await {
        match change {
            RecordChange::Listing { .. } => {
                listed.clear();
                control.leases.forget();
                control.provider_leases.listing();
            }
            RecordChange::Put { key, token, revision } if Lease::is_key(&key) => {
                control.read_lease(&key, &token, revision);
            }
            RecordChange::Put { key, token, revision } if ProviderLease::is_key(&key) => {
                control.provider_leases.saw(&key, &token, revision);
            }
            RecordChange::Put { key, token, revision } => {
                read(control, &records, &key, &token, revision).await?;
                listed.insert(key);
            }
            RecordChange::Gone { key } if ProviderLease::is_key(&key) => {
                control.provider_leases.gone(&key);
            }
            RecordChange::Gone { key } => put_back(control, &records, &key, 0).await?,
            RecordChange::Listed => {
                control.provider_leases.listed();
                put_back_all_but(control, &records, &listed).await?;
            }
        }
    }
    Ok(())
}

/// A record in the store is worth what its signatures are worth.
async fn read(
    control: &Control,
    records: &Records,
    key: &str,
    token: &str,
    revision: u64,
) -> Result<(), RecordsError> {
    if control.registry.record_text(key).as_deref() == Some(token) {
        return Ok(());
    }
    match control.registry.put_record(token) {
        Ok(admitted) => debug!(key, ?admitted, "record from the store"),
        Err(error) => {
            control.reports.refused("record in the store", &error.to_string());
            // What stands there is not what this host knows: others should see the good one.
            put_back(control, records, key, revision).await?;
        }
    }
    Ok(())
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
