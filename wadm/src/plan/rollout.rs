//! From where a component runs to where it should, without a gap and without much more than it is to have.

use wattle_core::{EntityId, HostKey};

use super::{
    Artifact, Command, Component, Host, HostState, Observed, Placement, Running,
    goals::{self, Goals},
};
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

    /// Whether the old version goes on where it runs, for the new one cannot: to make way for what cannot come would only stop it.
    pub(super) fn is_halted(&self, id: &EntityId) -> bool {
        self.is_refused(id) && self.running().any(|running| running.artifact != *self.artifact)
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
    canary: Option<&Goals<'_>>,
) -> Vec<Command> {
    let everywhere = goals::everywhere(component, placement);
    let goals = canary.unwrap_or(&everywhere);
    let wanted: u32 = goals.values().map(|goal| goal.instances).sum();
    let running: u32 = now.running().map(|one| one.instances).sum();
    let is_daemon = matches!(component.scaler, Scaler::Daemon { .. });
    // Each host of a daemon is for itself: nothing moves between them.
    let most = if is_daemon { u32::MAX } else { wanted.saturating_add(surge(component, wanted)) };
    let budget = most.saturating_sub(running);
    let commands = Vec::new();
    let mut steps = Steps { id, goals, now, budget, commands };
    let is_growing = steps.grow();
    steps.renew();
    // Nothing answers less than it should because of what has yet to come.
    let answering: u32 = now.running().map(|one| one.ready).sum();
    steps.shrink(match is_growing && !is_daemon {
        true => answering.saturating_sub(wanted),
        false => u32::MAX,
    });
    steps.commands
}

/// The steps of one component, as they are put together.
struct Steps<'a> {
    id: &'a EntityId,
    goals: &'a Goals<'a>,
    now: &'a Now<'a>,
    /// Instances that may come on top of those that run.
    budget: u32,
    commands: Vec<Command>,
}

impl Steps<'_> {
    /// Starts what is missing; says whether anything is.
    fn grow(&mut self) -> bool {
        let mut is_growing = false;
        let is_halted = self.now.is_halted(self.id);
        for &(host, _, there) in &self.now.hosts {
            let has = there.map_or(0, |running| running.instances);
            let Some(goal) = self.goals.get(host).copied() else { continue };
            let is_other = there.is_some_and(|running| running.artifact != *goal.artifact);
            // On a host that has none of it, it would only be tried once more.
            let is_try = there.is_none() && goal.artifact == self.now.artifact;
            if goal.instances <= has || is_other || (is_try && is_halted) {
                continue;
            }
            is_growing = true;
            let more = (goal.instances - has).min(self.budget);
            self.budget -= more;
            if more > 0 {
                self.run(host, goal.artifact, has + more);
            }
        }
        is_growing
    }

    /// The new version takes over what the old one had on some hosts; it shrinks, if it should, once it answers.
    fn renew(&mut self) {
        let at_once = (self.goals.len() * HOSTS_AT_ONCE_PERCENT / 100).max(1);
        let mut free = match self.now.is_refused(self.id) {
            true => 0,
            false => at_once.saturating_sub(self.now.being_tried() + self.commands.len()),
        };
        for &(host, _, there) in &self.now.hosts {
            let (Some(there), Some(goal)) = (there, self.goals.get(host).copied()) else {
                continue;
            };
            if there.artifact == *goal.artifact || free == 0 {
                continue;
            }
            free -= 1;
            let more = goal.instances.saturating_sub(there.instances).min(self.budget);
            self.budget -= more;
            // Of a version that has fewer in all, no host is told to run more than these.
            let count = (there.instances + more).min(goal.most);
            self.run(host, goal.artifact, count);
        }
    }

    /// Stops what is too much, of what answers no more than can be spared.
    fn shrink(&mut self, mut spare: u32) {
        let is_halted = self.now.is_halted(self.id);
        for &(host, _, there) in &self.now.hosts {
            let Some(there) = there else { continue };
            let goal = self.goals.get(host);
            let surplus = there.instances.saturating_sub(goal.map_or(0, |goal| goal.instances));
            // Those that do not answer are no loss.
            let silent = there.instances.saturating_sub(there.ready);
            let fewer = surplus.min(silent.saturating_add(spare));
            let is_renewed = goal.is_some_and(|goal| *goal.artifact != there.artifact);
            let is_old = there.artifact != *self.now.artifact;
            if fewer == 0 || is_renewed || (is_old && is_halted) {
                continue;
            }
            spare -= fewer.saturating_sub(silent);
            match there.instances - fewer {
                0 => {
                    let stop = Command::Stop { host: host.clone(), id: self.id.clone() };
                    self.commands.push(stop);
                }
                left => self.run(host, &there.artifact, left),
            }
        }
    }

    fn run(&mut self, host: &HostKey, artifact: &Artifact, instances: u32) {
        let (host, id, artifact) = (host.clone(), self.id.clone(), artifact.clone());
        self.commands.push(Command::Run { host, id, artifact, instances });
    }
}

fn surge(component: &Component, wanted: u32) -> u32 {
    match component.kind {
        Kind::Provider => 1,
        Kind::Actor => (u64::from(wanted) * u64::from(SURGE_PERCENT)).div_ceil(100).max(1) as u32,
    }
}
