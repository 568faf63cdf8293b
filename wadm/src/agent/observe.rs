//! From what hosts say to what the planner is shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use wattle_core::{AccountKey, Digest, HostKey, inventory::Inventory};

use super::{
    probes::Probes,
    view::{HostView, View},
};
use crate::{
    declared::put_links,
    observed::running,
    plan::{Artifact, Host, HostState, Observed},
    reconcile::Snapshot,
};

/// What is there now, with times counted in milliseconds since `start`.
pub(super) fn snapshot(
    view: &View,
    probes: &Probes,
    account: &AccountKey,
    start: Instant,
) -> Snapshot {
    let ms = |at: Instant| u64::try_from(at.duration_since(start).as_millis()).unwrap_or(u64::MAX);
    let programs = programs(view);
    let mut snapshot = Snapshot { links_at_ms: ms(Instant::now()), ..Snapshot::default() };
    let mut since: Vec<Instant> = view.hosts.values().map(|host| host.since).collect();
    since.sort_unstable();
    for (key, host) in &view.hosts {
        let Some((inventory, asked)) = &host.inventory else { continue };
        // A beat may be older than what was done since: only what the host was asked for later shows what came of it. Asked for in the
        // millisecond of the answer to a command is later.
        snapshot.hosts_at_ms.insert(key.clone(), ms(*asked) + 1);
        let seniority = since.partition_point(|other| *other < host.since);
        let mut host = observed(host, inventory, account, &programs);
        host.seniority = u32::try_from(seniority).unwrap_or(u32::MAX);
        for (id, running) in &mut host.running {
            if !probes.let_count(key, id, running) {
                running.ready = 0;
            }
        }
        snapshot.observed.hosts.insert(key.clone(), host);
    }
    snapshot.observed = Observed { links: put_links(view.applications()), ..snapshot.observed };
    snapshot
}

/// Which programs have which artifact.
fn programs(view: &View) -> BTreeMap<Digest, BTreeSet<Artifact>> {
    let mut programs: BTreeMap<Digest, BTreeSet<Artifact>> = BTreeMap::new();
    for (_, declared, rollout) in view.applications() {
        let Some(version) = declared.target(rollout) else { continue };
        for component in &version.components {
            let Some(program) = declared.program(rollout, &component.id) else { continue };
            programs.entry(component.program.artifact).or_default().insert(program.clone());
        }
    }
    programs
}

fn observed(
    host: &HostView,
    inventory: &Inventory,
    account: &AccountKey,
    programs: &BTreeMap<Digest, BTreeSet<Artifact>>,
) -> Host {
    let state = match (host.is_lost() || host.is_unheard(), host.beat.draining) {
        (true, _) => HostState::Lost,
        (false, true) => HostState::Draining,
        (false, false) => HostState::Ready,
    };
    let cached = inventory.cached.iter().filter_map(|artifact| programs.get(artifact));
    Host {
        name: inventory.name.clone(),
        labels: host.beat.labels.clone(),
        state,
        seniority: 0,
        room: inventory.room,
        cached: cached.flatten().cloned().collect(),
        running: running(inventory, account),
        refused: BTreeMap::new(),
    }
}

/// Links that a deployment declares and that do not hold, as hosts say: each with one reason.
pub(super) fn failed_links(
    view: &View,
    account: &AccountKey,
) -> BTreeMap<wattle_core::link::LinkKey, String> {
    let hosts = view.hosts.values().filter(|host| !host.is_lost());
    let inventories = hosts.filter_map(|host| host.inventory.as_ref());
    let failed = inventories.flat_map(|(inventory, _)| {
        let name = inventory.name.clone();
        let own = inventory.failed_links.iter().filter(|failed| failed.account == *account);
        own.map(move |it| (it.link.clone(), format!("on {name}: {}", it.reason)))
    });
    failed.collect()
}

/// Hosts that can be told something.
pub(super) fn reachable(view: &View) -> impl Iterator<Item = (&HostKey, &Inventory)> {
    let hosts = view.hosts.iter().filter(|(_, host)| !host.is_lost() && !host.is_unheard());
    hosts.filter_map(|(key, host)| Some((key, &host.inventory.as_ref()?.0)))
}
