//! All simulated hosts.

use std::{collections::BTreeMap, sync::Arc};

use wattle_core::{EntityId, HostKey};
use wattle_lattice::Lattice;

use crate::{
    applications::ZONES,
    host::{Alive, SimHost},
    site::Site,
    state::{Runs, State, Told},
};

/// Twenty hosts on one connection.
pub(crate) struct Fleet {
    hosts: Vec<(Arc<SimHost>, Option<Alive>)>,
}

impl Fleet {
    pub(crate) fn start(site: &Arc<Site>, mesh: &Lattice) -> Self {
        let zones = ZONES.iter().flat_map(|&(zone, hosts)| (0..hosts).map(move |_| zone));
        let hosts = zones.enumerate().map(|(index, zone)| {
            let name = format!("host-{index:02}").parse().expect("a name");
            let host = Arc::new(SimHost::new(site, name, zone));
            let alive = host.live(mesh);
            (host, Some(alive))
        });
        Self { hosts: hosts.collect() }
    }

    /// Loses a host: it neither beats nor answers any more. What it ran is given back.
    pub(crate) fn lose(&mut self, lost: &HostKey) -> BTreeMap<EntityId, Runs> {
        let mut hosts = self.hosts.iter_mut();
        let (host, alive) = hosts.find(|(host, _)| host.key == *lost).expect("it is one of them");
        *alive = None;
        host.state.lock().running.clone()
    }

    /// Hosts that are there, with the number of components that each runs.
    pub(crate) fn sizes(&self) -> Vec<(usize, HostKey)> {
        let living = self.hosts.iter().filter(|(_, alive)| alive.is_some());
        living.map(|(host, _)| (host.state.lock().running.len(), host.key.clone())).collect()
    }

    /// What all hosts were told since this was last looked at.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.each(|state| std::mem::take(&mut state.told)).into_iter().flatten().collect()
    }

    /// How often hosts were asked what they run, since this was last looked at.
    pub(crate) fn asked(&self) -> usize {
        self.each(|state| std::mem::take(&mut state.asked)).into_iter().sum()
    }

    /// What hosts did not do, and why.
    pub(crate) fn refused(&self) -> Vec<String> {
        let refused = self.each(|state| state.refused.clone()).into_iter().flatten();
        refused.map(|failure| failure.message).collect()
    }

    fn each<T>(&self, of: impl Fn(&mut State) -> T) -> Vec<T> {
        self.hosts.iter().map(|(host, _)| of(&mut host.state.lock())).collect()
    }
}
