//! How applications stand, as the last round saw it, and whether a version is healthy.

use std::collections::{BTreeMap, BTreeSet};

use wattle_claims::Rollout;
use wattle_core::{
    EntityId, Name,
    app::{ApplicationState, ApplicationStatus, ComponentStatus, HostStatus},
    deployment::{Deployment, Phase, Version},
    link::LinkKey,
};

use super::{probes::Probes, view::View};
use crate::{
    declared::Declared,
    observed::shares,
    plan::{HostState, Observed, Status},
    reconcile::{Reconciler, Round},
};

/// What a round saw.
pub(super) struct Seen<'a> {
    pub(super) view: &'a View,
    pub(super) observed: &'a Observed,
    pub(super) round: &'a Round,
    pub(super) reconciler: &'a Reconciler,
    pub(super) probes: &'a Probes,
    pub(super) failed_links: &'a BTreeMap<LinkKey, String>,
    /// Of applications on trial, the instances of each component that the version before would have no place for either.
    pub(super) lacking_before: &'a BTreeMap<EntityId, u32>,
}

/// How a version does wherever it has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// All of it answers, and it lacks no more places than the version before would.
    Well,
    /// The same, as far as it may go as a canary.
    Canary,
    /// Something of it has no place at all, as it would not have in the version before: that says neither.
    Nowhere,
    Unwell,
}

impl Seen<'_> {
    /// How the version does that is run. A host that is lost or drained takes places from every version: that says nothing of this one.
    fn health(&self, status: &ApplicationStatus) -> Health {
        let name = &status.application;
        let holds = status.held.is_empty() && status.failed_links.is_empty();
        let lacks_no_more = status.components.iter().all(|component| {
            let lacking = self.lacking_before.get(&component.id).copied().unwrap_or(0);
            component.missing() <= lacking
        });
        if !holds || !lacks_no_more || self.is_halted(name) {
            return Health::Unwell;
        }
        let mut components = status.components.iter();
        let is_nowhere =
            components.any(|component| component.ready == 0 && component.missing() > 0);
        match (self.round.unsettled.contains(name), self.round.canaries.contains(name)) {
            (false, _) | (true, true) if is_nowhere => Health::Nowhere,
            (false, _) => Health::Well,
            (true, true) => Health::Canary,
            _ => Health::Unwell,
        }
    }

    /// Whether the version before goes on somewhere, for a host could not run the one that is asked for.
    fn is_halted(&self, name: &Name) -> bool {
        let mut statuses = self.round.status.iter();
        statuses.any(|(id, status)| status.is_halted && id.application() == Some(name.as_str()))
    }

    /// How an application stands, and its version does; none where its deployment has ended.
    pub(super) fn status(
        &self,
        name: &Name,
        declared: &Declared,
        rollout: Option<&Rollout>,
    ) -> Option<(ApplicationStatus, Health)> {
        let deployment = declared.deployment.as_ref()?;
        let version = declared.target(rollout)?;
        let failed_links = self.failed_links(version);
        let components = self.components(declared, rollout, deployment, version);
        let mut status = ApplicationStatus {
            application: name.clone(),
            phase: deployment.phase,
            generation: declared.generation,
            version: version.name.clone(),
            state: ApplicationState::Settled,
            components,
            held: declared.held.clone(),
            used_by: self.used_by(name),
            failed_links,
        };
        let health = self.health(&status);
        // What a host could not do is no matter once another does it, unless the version before answers there meanwhile.
        let is_settled = health == Health::Well && status.missing() == 0;
        let given_up = rollout
            .filter(|rollout| rollout.generation == declared.generation)
            .and_then(|rollout| rollout.given_up.as_ref());
        status.state = match given_up {
            Some(given_up) if is_settled => ApplicationState::GivenUp {
                version: given_up.version.clone(),
                reason: given_up.reason.clone(),
            },
            _ if is_settled => ApplicationState::Settled,
            _ if health == Health::Canary => ApplicationState::Canary,
            _ if status.problems().is_empty() => ApplicationState::Changing,
            _ => ApplicationState::Failing,
        };
        Some((status, health))
    }

    /// Deployed applications that use something of this one, themselves or over others that go on for them.
    fn used_by(&self, name: &Name) -> BTreeSet<Name> {
        let (mut users, mut seen, mut of) = (BTreeSet::new(), BTreeSet::new(), vec![name]);
        while let Some(used) = of.pop() {
            for (user, declared, rollout) in self.view.applications() {
                // The version before uses what it did, as long as it does a part.
                let before =
                    declared.canary(rollout).and_then(|_| declared.deployment.as_ref()?.before());
                let versions = declared.target(rollout).into_iter().chain(before);
                let mut uses = versions.flat_map(|it| &it.uses);
                let is_user = uses.any(|id| id.application() == Some(used.as_str()));
                if !is_user || user == name || !seen.insert(user) {
                    continue;
                }
                match declared.deployment.as_ref().map(|deployment| deployment.phase) {
                    Some(Phase::Deployed) => drop(users.insert(user.clone())),
                    _ => of.push(user),
                }
            }
        }
        users
    }

    fn failed_links(&self, version: &Version) -> BTreeMap<String, String> {
        let failed = version.links.iter().filter_map(|link| {
            let key = link.key();
            let reason = self.failed_links.get(&key).cloned();
            let mut ends = [&link.source.id, &link.target.id].into_iter();
            let reason = reason.or_else(|| ends.find_map(|id| self.absence(version, id)))?;
            Some((key.to_string(), reason))
        });
        failed.collect()
    }

    /// That what is used of another application is not there: no host says so, as it may come.
    fn absence(&self, version: &Version, id: &EntityId) -> Option<String> {
        if !version.uses.contains(id) {
            return None;
        }
        match self.round.status.get(id) {
            None => Some(format!("no application that is deployed has {id} (any more)")),
            Some(status) if status.ready == 0 => Some(format!("nothing answers as {id}")),
            Some(_) => None,
        }
    }

    fn components(
        &self,
        declared: &Declared,
        rollout: Option<&Rollout>,
        deployment: &Deployment,
        version: &Version,
    ) -> Vec<ComponentStatus> {
        let known = version.components.iter().filter_map(|component| {
            let id = &component.id;
            let status = self.round.status.get(id);
            // One that is to go is told of as long as something of it runs.
            if status.is_none() && deployment.phase == Phase::Deployed {
                return None;
            }
            let none = Status::default();
            let status = status.unwrap_or(&none);
            let program = declared.program(rollout, id);
            Some(ComponentStatus {
                id: id.clone(),
                kind: component.program.kind(),
                wanted: status.placement.hosts.values().sum(),
                ready: status.ready,
                hosts: self.hosts(id, status, program),
                shares: shares(status, self.observed),
            })
        });
        known.collect()
    }

    fn hosts(
        &self,
        id: &EntityId,
        status: &Status,
        program: Option<&crate::plan::Artifact>,
    ) -> Vec<HostStatus> {
        let hosts = self.observed.hosts.iter().filter_map(|(host, there)| {
            let wanted = status.placement.hosts.get(host).copied().unwrap_or(0);
            let running = there.running.get(id);
            // What a lost host runs, nobody knows.
            let is_lost = there.state == HostState::Lost;
            let problem = match is_lost {
                true => running.map(|_| "the host is lost".to_owned()),
                false => {
                    let probed = program.and_then(|it| self.probes.problem(host, id, it));
                    probed.or_else(|| self.reconciler.problem(host, id)).map(str::to_owned)
                }
            };
            if wanted == 0 && running.is_none() && problem.is_none() {
                return None;
            }
            let ready = running.filter(|running| !is_lost && Some(&running.artifact) == program);
            let ready = ready.map_or(0, |running| running.ready);
            Some(HostStatus {
                host: host.clone(),
                name: there.name.clone(),
                wanted,
                ready,
                problem,
            })
        });
        hosts.collect()
    }
}
