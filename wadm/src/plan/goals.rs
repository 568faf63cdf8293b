//! What is to run of a component on each host: everywhere the same, or, while a canary lasts, the old version beside the new one.

use std::collections::BTreeMap;

use wattle_core::{EntityId, HostKey};

use super::{Artifact, Component, HostState, Observed, Placement};
use crate::manifest::Scaler;

/// What is to run on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Goal<'a> {
    pub(super) artifact: &'a Artifact,
    pub(super) instances: u32,
    /// The most of it that one host may run.
    pub(super) most: u32,
}

/// By host; none where nothing of it is to run.
pub(super) type Goals<'a> = BTreeMap<&'a HostKey, Goal<'a>>;

/// The same version wherever it has a place.
pub(super) fn everywhere<'a>(component: &'a Component, placement: &'a Placement) -> Goals<'a> {
    let most = u32::from(component.scaler.instances());
    let goal = |&instances| Goal { artifact: &component.artifact, instances, most };
    let places = placement.hosts.iter().filter(|(_, count)| **count > 0);
    places.map(|(host, count)| (host, goal(count))).collect()
}

/// The new version on as many hosts as have at most `weight` percent of its instances, at least one, and the old one, as far as its own
/// scaler lets it, on the others. None where nothing of the old one runs.
pub(super) fn canary<'a>(
    id: &EntityId,
    new: &'a Component,
    old: &'a Component,
    weight: u8,
    placement: &'a Placement,
    observed: &Observed,
) -> Option<Goals<'a>> {
    let runs = |host: &HostKey, artifact: &Artifact| {
        let running = observed.hosts.get(host).and_then(|there| there.running.get(id));
        running.is_some_and(|running| running.artifact == *artifact)
    };
    // On a host that is lost, too: it may be back in a moment.
    if new.artifact == old.artifact || !observed.hosts.keys().any(|host| runs(host, &old.artifact))
    {
        return None;
    }
    let mut goals = everywhere(new, placement);
    let wanted: u32 = placement.hosts.values().sum();
    let part_max = u64::from(wanted) * u64::from(weight) / 100;
    // Those that have the new version keep it; of the others those with least come first, so that the part is no larger than it has to be.
    let mut places: Vec<(&HostKey, u32)> =
        goals.iter().map(|(host, goal)| (*host, goal.instances)).collect();
    places.sort_by_key(|(host, count)| (!runs(host, &new.artifact), *count));
    let (mut part, mut rest) = (0, Vec::new());
    for (index, (host, count)) in places.into_iter().enumerate() {
        let is_allowed = observed.hosts.get(host).is_some_and(|it| old.scaler.allows(&it.labels));
        let fits = index == 0 || u64::from(part + count) <= part_max;
        match fits || runs(host, &new.artifact) || !is_allowed {
            true => part += count,
            false => rest.push((host, count)),
        }
    }
    let has = |host: &HostKey| {
        let running = observed.hosts.get(host).and_then(|there| there.running.get(id));
        running.filter(|it| it.artifact == old.artifact).map_or(0, |running| running.instances)
    };
    for (host, instances) in divided(old, &rest, has) {
        let most = u32::from(old.scaler.instances());
        match instances {
            0 => drop(goals.remove(host)),
            _ => drop(goals.insert(host, Goal { artifact: &old.artifact, instances, most })),
        }
    }
    Some(goals)
}

/// What the old version has of these places: no more on each, and in all, than its own scaler says, and first what it has already.
fn divided<'a>(
    old: &Component,
    places: &[(&'a HostKey, u32)],
    has: impl Fn(&HostKey) -> u32,
) -> Vec<(&'a HostKey, u32)> {
    let each = u32::from(old.scaler.instances());
    let mut left = match &old.scaler {
        Scaler::Spread { .. } => each,
        Scaler::Daemon { .. } => u32::MAX,
    };
    let mut take = |most: u32| {
        let taken = most.min(left);
        left -= taken;
        taken
    };
    let kept: Vec<u32> =
        places.iter().map(|(host, count)| take(has(host).min(*count).min(each))).collect();
    let more = places.iter().zip(kept).map(|((host, count), kept)| {
        let more = take((*count).min(each) - kept);
        (*host, kept + more)
    });
    more.collect()
}

/// Whether everything answers as it is to.
pub(super) fn are_met(goals: &Goals<'_>, id: &EntityId, observed: &Observed) -> bool {
    goals.iter().all(|(host, goal)| {
        let there = observed.hosts.get(*host).filter(|there| there.state != HostState::Lost);
        let running = there.and_then(|there| there.running.get(id));
        running.is_some_and(|it| it.artifact == *goal.artifact && it.ready >= goal.instances)
    })
}
