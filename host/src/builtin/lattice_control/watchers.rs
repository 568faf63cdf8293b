//! Tells actors what happens on this host, over the links that lead from its lattice-control to them.
//!
//! What hosts publish on NATS is unsigned, so that no host hands on another's events: each tells of its own, over sessions where the
//! actor is elsewhere. An event happens on one host, so it is told once per lattice without anybody having to agree on that.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::random;
use tokio::{sync::mpsc, time::sleep};
use tracing::{debug, info};
use wattle_control::{
    ON_EVENT, WATCHER,
    wire::{Event, OnEvent},
};
use wattle_core::{
    BuiltIn, CallError, CallId, EntityId, ErrorKind, call::PARAMS_LEN_MAX, codec, entity::Party,
    event::CloudEvent,
};
use wattle_wire::Request;

use super::Interest;
use crate::{actors::CallContext, control::Control, logbook::printable, router::Edge};

/// Events that wait for one actor; beyond it they are counted and not told.
const WAITING_MAX: usize = 1_024;
/// How long an actor has for one event.
const DEADLINE: Duration = Duration::from_secs(30);
/// Bytes kept of what an actor says to an event.
const ANSWER_LEN_MAX: usize = 500;
/// An event that provably did not reach its actor is tried so often, and so long after the first time, twice as long after the second …
const TRIES_MAX: u32 = 6;
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Those who are told, by their links' numbers.
#[derive(Default)]
pub(crate) struct Watchers(HashMap<u32, Watcher>);

/// One actor that is told, in order; it ends with its sender.
struct Watcher {
    waiting: mpsc::Sender<Event>,
    missed: Arc<AtomicU64>,
}

impl Watchers {
    /// Tells of one event whoever has a link that is for it. Waits for nobody.
    pub(crate) fn tell(&mut self, control: &Arc<Control>, event: &CloudEvent) {
        let (routes, now) = (control.router.routes(), control.registry.now());
        let own = BuiltIn::LatticeControl.party(control.registry.host().0);
        let kind = event.data.kind();
        let mut linked: Vec<u32> = Vec::new();
        for edge in routes.edges().iter().filter(|edge| leads_from(&own, edge) && edge.holds(now)) {
            linked.push(edge.number);
            let is_covered = Interest::of(&edge.link).is_ok_and(|it| it.covers(kind.as_str()));
            // What becomes of telling it is no news to it: it would not end.
            let is_own = event.data.is_trouble_of(edge.link.target.id.as_str());
            if is_covered && !is_own {
                let watcher =
                    self.0.entry(edge.number).or_insert_with(|| Watcher::start(control, edge));
                watcher.tell(control, said(control, event));
            }
        }
        self.0.retain(|number, _| linked.contains(number));
    }
}

fn leads_from(own: &Party, edge: &Edge) -> bool {
    edge.link.source == *own && edge.link.interfaces.iter().any(|named| named.as_str() == WATCHER)
}

fn said(control: &Control, event: &CloudEvent) -> Event {
    Event {
        id: event.id.clone(),
        host: control.host.to_string(),
        kind: event.data.kind().to_string(),
        time: event.time.clone(),
        about: event.data.about().map(str::to_owned),
        data: serde_json::to_string(&event.data).unwrap_or_default(),
        missed: 0,
    }
}

impl Watcher {
    fn start(control: &Arc<Control>, edge: &Edge) -> Self {
        let (waiting, events) = mpsc::channel(WAITING_MAX);
        let missed = Arc::new(AtomicU64::new(0));
        let task = hand_over(
            control.clone(),
            edge.number,
            edge.link.target.id.clone(),
            events,
            missed.clone(),
        );
        // On a lane, as all that calls actors.
        let lane = edge.number as usize % control.lanes.count();
        control.lanes.handle(lane).spawn(task);
        Self { waiting, missed }
    }

    fn tell(&self, control: &Control, event: Event) {
        if self.waiting.try_send(event).is_err() {
            self.missed.fetch_add(1, Relaxed);
            control.reports.left_out("event for an actor: too many wait for it");
        }
    }
}

async fn hand_over(
    control: Arc<Control>,
    link: u32,
    actor: EntityId,
    mut events: mpsc::Receiver<Event>,
    missed: Arc<AtomicU64>,
) {
    while let Some(mut event) = events.recv().await {
        event.missed = missed.swap(0, Relaxed);
        let before = event.missed;
        let id = event.id.clone();
        if let Err(error) = told(&control, link, event).await {
            missed.fetch_add(before + 1, Relaxed);
            debug!(%actor, %id, kind = error.kind.as_str(), %error.message, "an event was not told");
            control.reports.left_out(&format!("event for an actor: {}", error.kind.as_str()));
        }
    }
}

/// Hands an event to its actor. What provably did not run is tried again; what an actor answers is its own affair.
async fn told(control: &Arc<Control>, link: u32, event: Event) -> Result<(), CallError> {
    let params = Bytes::from(codec::encode(&OnEvent { event }));
    let mut tries = 0;
    loop {
        let context = CallContext {
            id: CallId::from_bytes(random()),
            deadline: Instant::now() + DEADLINE,
            trace: None,
            depth: 0,
        };
        let request = Request { head: Bytes::new(), params: params.clone(), body: None };
        match control.router.call_from_built_in(link, ON_EVENT, request, &context).await {
            Ok(reply) => {
                let answer: Result<(), String> = codec::decode(&reply.result, PARAMS_LEN_MAX)
                    .map_err(|error| CallError::new(ErrorKind::Malformed, error.to_string()))?;
                if let Err(text) = answer {
                    info!(
                        link,
                        error = printable(text, ANSWER_LEN_MAX),
                        "an actor's answer to an event"
                    );
                }
                return Ok(());
            }
            Err(error) if error.kind.is_for_another_host() && tries + 1 < TRIES_MAX => {
                sleep(AGAIN_AFTER * 2_u32.pow(tries)).await;
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}
