//! The planner: what is asked for and what is there, to what is to be done next.
//!
//! [`plan`] is pure: no clock, no I/O, the same answer to the same question. It is asked again after every change, and answers with what
//! can be done now: what has to wait for something is left to a later round. When everything is as it should be, nothing is left to do.

mod desired;
mod goals;
mod links;
mod observed;
mod rollout;
mod spread;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use wattle_core::{EntityId, HostKey, Name, link::LinkKey};

use self::spread::{Candidate, Candidates};
pub use self::{
    desired::{Application, Artifact, Canary, Component, Desired, Link, Phase},
    observed::{Host, HostState, Observed, PutLink, Refused, Running},
    spread::{Placement, Share},
};
use crate::manifest::Kind;

/// One thing to do. Each says what is to be, so that to say it twice does no harm.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// A host runs this artifact under this id, with so many calls at once.
    Run {
        /// The host.
        host: HostKey,
        /// The id.
        id: EntityId,
        /// What runs.
        artifact: Artifact,
        /// Calls at once; of a provider 1.
        instances: u32,
    },
    /// A host runs nothing under this id.
    Stop {
        /// The host.
        host: HostKey,
        /// The id.
        id: EntityId,
    },
    /// The application's link is there.
    PutLink {
        /// The application.
        application: Name,
        /// The link.
        key: LinkKey,
    },
    /// It is not.
    DeleteLink {
        /// The application that put it.
        application: Name,
        /// The link.
        key: LinkKey,
    },
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run { host, id, instances, .. } => write!(f, "run {id} ({instances}) on {host}"),
            Self::Stop { host, id } => write!(f, "stop {id} on {host}"),
            Self::PutLink { key, .. } => write!(f, "put {key}"),
            Self::DeleteLink { key, .. } => write!(f, "delete {key}"),
        }
    }
}

/// What to do next, and how it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order; those of one round do not depend on each other's success.
    pub commands: Vec<Command>,
    /// How each component that is to run stands.
    pub status: BTreeMap<EntityId, Status>,
}

/// How a component stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Where its instances go.
    pub placement: Placement,
    /// Instances that answer, of the artifact that is asked for.
    pub ready: u32,
    /// Whether that artifact answers wherever it may run as a canary, as does the one before elsewhere: it goes no further for now.
    pub is_canary: bool,
    /// Whether the one before goes on somewhere, because a host could not run that artifact: it is tried again, and is not there.
    pub is_halted: bool,
}

impl Status {
    /// Whether everything that has a place answers there.
    pub fn answers(&self) -> bool {
        self.ready == self.placement.hosts.values().sum::<u32>()
    }
}

/// What to do next.
pub fn plan(desired: &Desired, observed: &Observed) -> Plan {
    let kept = kept(desired);
    let mut plan = Plan::default();
    let mut room = Room::new(observed);
    for (id, (component, canary)) in &kept.components {
        let placement = {
            let candidates = room.candidates(observed, id, component);
            spread::place(&component.scaler, &candidates)
        };
        let now = rollout::Now::new(observed, id, component);
        let canary = canary.and_then(|Canary { weight, before }| {
            goals::canary(id, component, before.get(*id)?, *weight, &placement, observed)
        });
        let steps = rollout::steps(id, component, &placement, &now, canary.as_ref());
        let is_met = |goals| goals::are_met(goals, id, observed);
        let is_canary = steps.is_empty() && canary.as_ref().is_some_and(is_met);
        plan.commands.extend(steps);
        room.settle(id, component.kind, &placement);
        let (ready, is_halted) = (now.ready(), now.is_halted(id));
        plan.status.insert((*id).clone(), Status { placement, ready, is_canary, is_halted });
    }
    plan.commands.extend(links::steps(desired, observed, &kept, &plan.status));
    plan.commands.extend(leftovers(desired, observed, &kept));
    plan
}

/// What is to run: everything of deployed applications, and of the others what these use.
struct Kept<'a> {
    /// With the canary of its application.
    components: BTreeMap<&'a EntityId, (&'a Component, Option<&'a Canary>)>,
    links: BTreeMap<&'a LinkKey, (&'a Name, &'a Link)>,
}

fn kept(desired: &Desired) -> Kept<'_> {
    let mut ids: BTreeSet<&EntityId> = BTreeSet::new();
    for application in desired.applications.values() {
        if application.phase == Phase::Deployed {
            ids.extend(application.components.keys());
            ids.extend(&application.uses);
        }
    }
    // What is kept may call others, over links of its own application. What a provider hands on from outside to an application that
    // is to go, nobody else needs.
    let all: Vec<(&Name, &LinkKey, &Link)> = desired
        .applications
        .iter()
        .flat_map(|(name, application)| {
            application.links.iter().map(move |(key, link)| (name, key, link))
        })
        .collect();
    // Others that call it, over links of its own too, keep nothing of it.
    let is_own = |name: &Name, id: &EntityId| application_of(id).as_ref() == Some(name);
    loop {
        let before = ids.len();
        for (name, _, link) in &all {
            let is_kept = desired.applications[*name].phase == Phase::Deployed;
            let is_needed = !link.is_traffic && is_own(name, &link.source);
            if !is_kept && is_needed && ids.contains(&link.source) {
                ids.insert(&link.target);
            }
        }
        if ids.len() == before {
            break;
        }
    }
    let components = desired.applications.values().flat_map(|application| {
        let components = application.components.iter();
        components.map(|(id, component)| (id, (component, application.canary.as_ref())))
    });
    let links = all.into_iter().filter(|(name, _, link)| {
        desired.applications[*name].phase == Phase::Deployed
            || (!link.is_traffic && ids.contains(&link.source) && ids.contains(&link.target))
    });
    Kept {
        links: links.map(|(name, key, link)| (key, (name, link))).collect(),
        components: components.filter(|(id, _)| ids.contains(id)).collect(),
    }
}

/// What runs of an application that should not: stopped when no link leads to it any more.
fn leftovers(desired: &Desired, observed: &Observed, kept: &Kept<'_>) -> Vec<Command> {
    let mut commands = Vec::new();
    for (host, there) in &observed.hosts {
        if there.state == HostState::Lost {
            continue;
        }
        for id in there.running.keys() {
            let is_ours =
                application_of(id).is_some_and(|name| desired.applications.contains_key(&name));
            if !is_ours || kept.components.contains_key(id) {
                continue;
            }
            let mut links = observed.links.values();
            if !links.any(|link| link.source == *id || link.target == *id) {
                commands.push(Command::Stop { host: host.clone(), id: id.clone() });
            }
        }
    }
    commands
}

/// The application whose component runs under an id.
pub(crate) fn application_of(id: &EntityId) -> Option<Name> {
    id.application()?.parse().ok()
}

/// Instances that hosts have room for, as components get their places one after the other. What runs counts before what is to come,
/// so that nothing has to make way for something new.
struct Room<'a> {
    hosts: BTreeMap<&'a HostKey, Taken>,
}

/// What is taken of one host: by actors, instances of its room; a provider is a process beside them.
#[derive(Default)]
struct Taken {
    of: BTreeMap<EntityId, (Kind, u32)>,
    by_actors: u32,
    by_providers: u32,
}

impl Taken {
    fn set(&mut self, id: &EntityId, kind: Kind, count: u32) {
        let before = match self.of.get_mut(id) {
            Some(before) => Some(std::mem::replace(before, (kind, count))),
            None if count == 0 => return,
            None => self.of.insert(id.clone(), (kind, count)),
        };
        if let Some((kind, count)) = before {
            *self.by(kind) -= count;
        }
        *self.by(kind) += count;
    }

    fn by(&mut self, kind: Kind) -> &mut u32 {
        match kind {
            Kind::Actor => &mut self.by_actors,
            Kind::Provider => &mut self.by_providers,
        }
    }

    /// By everything else: actors' instances, and with providers.
    fn besides(&self, id: &EntityId) -> (u32, u32) {
        let all = self.by_actors + self.by_providers;
        match self.of.get(id) {
            Some((Kind::Actor, count)) => (self.by_actors - count, all - count),
            Some((Kind::Provider, count)) => (self.by_actors, all - count),
            None => (self.by_actors, all),
        }
    }
}

impl<'a> Room<'a> {
    fn new(observed: &'a Observed) -> Self {
        let taken = |host: &Host| {
            let mut taken = Taken::default();
            for (id, running) in &host.running {
                taken.set(id, running.kind, running.instances);
            }
            taken
        };
        Self { hosts: observed.hosts.iter().map(|(key, host)| (key, taken(host))).collect() }
    }

    fn candidates<'o>(
        &self,
        observed: &'o Observed,
        id: &EntityId,
        component: &Component,
    ) -> Candidates<'o> {
        let one = |(key, host): (&'o HostKey, &'o Host)| {
            let (actors, load) = self.hosts[key].besides(id);
            let room = match host.state {
                HostState::Lost => Err("lost".to_owned()),
                HostState::Draining => Err("draining".to_owned()),
                HostState::Ready => match host.refused.get(id) {
                    Some(refused) if refused.artifact == component.artifact => {
                        Err(refused.reason.clone())
                    }
                    _ => Ok(room(component, host.room.saturating_sub(actors))),
                },
            };
            let running = host.running.get(id).filter(|_| host.state == HostState::Ready);
            let candidate = Candidate {
                labels: &host.labels,
                room,
                current: running.map_or(0, |running| running.instances),
                seniority: host.seniority,
                load,
                is_cached: host.cached.contains(&component.artifact),
                is_away: host.state != HostState::Ready,
            };
            (key, candidate)
        };
        observed.hosts.iter().map(one).collect()
    }

    fn settle(&mut self, id: &EntityId, kind: Kind, placement: &Placement) {
        for (host, taken) in &mut self.hosts {
            let count = placement.hosts.get(*host).copied().unwrap_or(0);
            taken.set(id, kind, count);
        }
    }
}

/// A provider is one process of a host, which takes calls beside everything else.
fn room(component: &Component, instances: u32) -> u32 {
    match component.kind {
        Kind::Actor => instances,
        Kind::Provider => 1,
    }
}

#[cfg(test)]
mod tests;
