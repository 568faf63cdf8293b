//! From where a component runs to where it should, without a gap and without much more than it is to have.

use wattle_core::{EntityId, HostKey};

use super::{Artifact, Command, Component, Host, HostState, Observed, Placement, Running};
use crate::manifest::{Kind, Scaler};

/// While instances move, or their number changes, a scaler may have so much more than it is to have, at least 1.
const SURGE_PERCENT: u32 = 25;

/// Of the hosts that have an old version, so many at a time get the new one, at least 1.
const HOSTS_AT_ONCE_PERCENT: usize = 25;

/// What runs of a component, on hosts that can be told something.
pub(super) struct Now<'a> {
    hosts: Vec<(&'a HostKey, &'a Host, Option<&'a Running>)>,
    artifact: &'a Artifact,
}

impl<'a> Now<'a> {
    pub(super) fn new(observed: &'a Observed, id: &EntityId, component: &'a Component) -> Self {
        let known = observed.hosts.iter().filter(|(_, host)| host.state != HostState::Lost);
        let hosts = known.map(|(key, host)| (key, host, host.running.get(id))).collect();
        Self { hosts, artifact: &component.artifact }
    }

    /// Instances that answer, of the artifact that is asked for.
    pub(super) fn ready(&self) -> u32 {
        let new = self.running().filter(|running| running.artifact == *self.artifact);
        new.map(|running| running.ready).sum()
    }

    fn running(&self) -> impl Iterator<Item = &'a Running> {
        self.hosts.iter().filter_map(|(_, _, running)| *running)
    }

    /// Whether a host could not run the new version: it goes no further until somebody knows why.
    fn is_refused(&self, id: &EntityId) -> bool {
        let mut refused = self.hosts.iter().filter_map(|(_, host, _)| host.refused.get(id));
        refused.any(|refused| refused.artifact == *self.artifact)
    }

    /// How often the new version is being tried: it runs and does not answer yet.
    fn being_tried(&self) -> usize {
        let new = self.running().filter(|running| running.artifact == *self.artifact);
        new.filter(|running| running.ready == 0 && running.instances > 0).count()
    }
}

/// More first, then the new version where the old one runs, then less.
pub(super) fn steps(
    id: &EntityId,
    component: &Component,
    placement: &Placement,
    now: &Now<'_>,
) -> Vec<Command> {
    let wanted: u32 = placement.hosts.values().sum();
    let running: u32 = now.running().map(|one| one.instances).sum();
    let answering: u32 = now.running().map(|one| one.ready).sum();
    let is_daemon = matches!(component.scaler, Scaler::Daemon { .. });
    // Each host of a daemon is for itself: nothing moves between them.
    let most = if is_daemon { u32::MAX } else { wanted.saturating_add(surge(component, wanted)) };

    let mut commands = Vec::new();
    let run = |host: &HostKey, instances| Command::Run {
        host: host.clone(),
        id: id.clone(),
        artifact: component.artifact.clone(),
        instances,
    };
    let target = |host| placement.hosts.get(host).copied().unwrap_or(0);

    let mut budget = most.saturating_sub(running);
    let mut is_growing = false;
    for &(host, _, there) in &now.hosts {
        let has = there.map_or(0, |running| running.instances);
        let is_old = there.is_some_and(|running| running.artifact != component.artifact);
        if target(host) <= has || is_old {
            continue;
        }
        is_growing = true;
        let more = (target(host) - has).min(budget);
        budget -= more;
        if more > 0 {
            commands.push(run(host, has + more));
        }
    }

    // The new version takes over what the old one had there; it shrinks, if it should, once it answers.
    let at_once = (placement.hosts.len() * HOSTS_AT_ONCE_PERCENT / 100).max(1);
    let mut free = match now.is_refused(id) {
        true => 0,
        false => at_once.saturating_sub(now.being_tried() + commands.len()),
    };
    for &(host, _, there) in &now.hosts {
        let Some(there) = there.filter(|there| there.artifact != component.artifact) else {
            continue;
        };
        if target(host) == 0 || free == 0 {
            continue;
        }
        free -= 1;
        let more = target(host).saturating_sub(there.instances).min(budget);
        budget -= more;
        commands.push(run(host, there.instances + more));
    }

    // Nothing answers less than it should because of what has yet to come.
    let mut spare = match is_growing && !is_daemon {
        true => answering.saturating_sub(wanted),
        false => u32::MAX,
    };
    for &(host, _, there) in &now.hosts {
        let Some(there) = there else { continue };
        let is_old = there.artifact != component.artifact;
        let surplus = there.instances.saturating_sub(target(host));
        // Those that do not answer are no loss.
        let silent = there.instances.saturating_sub(there.ready);
        let fewer = surplus.min(silent.saturating_add(spare));
        if fewer == 0 || (is_old && target(host) > 0) {
            continue;
        }
        spare -= fewer.saturating_sub(silent);
        match there.instances - fewer {
            0 => commands.push(Command::Stop { host: host.clone(), id: id.clone() }),
            left => commands.push(Command::Run {
                host: host.clone(),
                id: id.clone(),
                artifact: there.artifact.clone(),
                instances: left,
            }),
        }
    }
    commands
}

fn surge(component: &Component, wanted: u32) -> u32 {
    match component.kind {
        Kind::Provider => 1,
        Kind::Actor => (u64::from(wanted) * u64::from(SURGE_PERCENT)).div_ceil(100).max(1) as u32,
    }
}
