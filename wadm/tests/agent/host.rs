//! A simulated host: what the lattice hears of it, and what it answers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{task::JoinSet, time::interval};
use wattle_claims::{Signed, Timestamp, Trust};
use wattle_core::{
    HostKey, Name,
    beat::{BEAT_INTERVAL_MS, Beat},
    control::{Answer, Command, Outcome},
    deployment::Kind,
    inventory::Inventory,
};
use wattle_lattice::{ControlServer, Lattice};
use wattle_testing::Signing;

use crate::{
    site::Site,
    state::{State, actor, provider},
};

/// Instances at once that a host has room for: more than it ever gets here.
const ROOM: u32 = 1_000;
/// Artifacts that an inventory lists, as a real host's.
const CACHED_MAX: usize = 500;

/// A host that is a key, a name, a zone and a state.
pub(crate) struct SimHost {
    site: Arc<Site>,
    trust: Trust,
    signing: Signing,
    pub(crate) key: HostKey,
    name: Name,
    labels: BTreeMap<String, String>,
    pub(crate) state: Mutex<State>,
}

/// Beats and answers until it is dropped.
pub(crate) struct Alive {
    _beats: JoinSet<()>,
    _server: ControlServer,
}

impl SimHost {
    pub(crate) fn new(site: &Arc<Site>, name: Name, zone: &str) -> Self {
        let signing = site.host(&name, Default::default());
        Self {
            site: site.clone(),
            trust: site.trust(),
            key: signing.key.public_key().expect("a host's key"),
            signing,
            name,
            labels: BTreeMap::from([("zone".to_owned(), zone.to_owned())]),
            state: Mutex::default(),
        }
    }

    pub(crate) fn live(self: &Arc<Self>, mesh: &Lattice) -> Alive {
        let (host, lattice) = (self.clone(), mesh.clone());
        let mut beats = JoinSet::new();
        beats.spawn(async move {
            let mut ticks = interval(Duration::from_millis(BEAT_INTERVAL_MS));
            loop {
                ticks.tick().await;
                lattice.publish_beat(&host.key, &host.beat());
            }
        });
        let host = self.clone();
        let server = mesh.serve_control(self.key.clone(), move |token| {
            let host = host.clone();
            async move { host.answer(&token) }
        });
        Alive { _beats: beats, _server: server }
    }

    /// What it says to a command; nothing to one that does not hold or is for another.
    fn answer(&self, token: &str) -> Option<String> {
        let command = Signed::<Command>::parse(token).ok()?;
        let command = command.verify(&self.trust, Timestamp::now()).ok()?;
        if command.subject != self.key.as_str() {
            return None;
        }
        let done = self.state.lock().obey(&command, &self.labels, &self.trust);
        let outcome = done.unwrap_or_else(|| Ok(Outcome::Inventory(Box::new(self.inventory()))));
        let answer = Answer { command: command.id.clone(), outcome };
        let signed = self.site.sign(&self.signing, command.id.clone(), None, answer);
        Some(signed.text().to_owned())
    }

    fn beat(&self) -> String {
        let beat = {
            let state = self.state.lock();
            let count = |kind| u32::try_from(state.of(kind).count()).expect("a few");
            Beat {
                name: self.name.clone(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                uptime_s: 0,
                actors: count(Kind::Actor),
                providers: count(Kind::Provider),
                in_flight: 0,
                labels: self.labels.clone(),
                draining: false,
                running: state.number(),
            }
        };
        self.site.sign(&self.signing, self.key.to_string(), None, beat).text().to_owned()
    }

    /// Of what runs on others it says nothing: it reads no placements.
    fn inventory(&self) -> Inventory {
        let state = self.state.lock();
        Inventory {
            host: self.key.clone(),
            name: self.name.clone(),
            lattice: self.site.name().clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: 0,
            labels: self.labels.clone(),
            actors: state.of(Kind::Actor).map(actor).collect(),
            providers: state.of(Kind::Provider).map(provider).collect(),
            built_in: Vec::new(),
            refused: BTreeMap::new(),
            sessions: 0,
            elsewhere: Vec::new(),
            failed_links: Vec::new(),
            room: ROOM,
            cached: state.cached.iter().take(CACHED_MAX).copied().collect(),
            running: state.number(),
        }
    }
}
