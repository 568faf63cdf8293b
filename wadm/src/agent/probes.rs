//! What actors have to answer before they count: a version on trial is ready only where its probes were answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use wattle_claims::Rollout;
use wattle_core::{
    Digest, EntityId, HostKey, Name,
    deployment::{Deployment, Phase, Version},
};

use super::view::View;
use crate::{
    declared::Declared,
    plan::{Artifact, Running},
};

/// Between two probes of an actor that did not answer the last one as it should.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// One program on one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Probed {
    pub(super) host: HostKey,
    pub(super) id: EntityId,
    pub(super) program: Digest,
}

/// What has been answered.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// Programs that are to be probed, wherever they run, with the application whose deployment says so.
    wanted: BTreeMap<(EntityId, Digest), Name>,
    answers: BTreeMap<Probed, Answered>,
    asking: BTreeSet<Probed>,
}

#[derive(Debug)]
struct Answered {
    at: Instant,
    outcome: Result<(), String>,
}

impl Probes {
    /// Looks what is to be probed now, and gives what has not been asked yet, or not answered well.
    pub(super) fn due(&mut self, view: &View) -> Vec<(Name, Probed)> {
        self.wanted = view
            .applications()
            .flat_map(|(name, declared, rollout)| {
                let programs = wanted(declared, rollout).into_iter();
                programs.map(move |program| (program, name.clone()))
            })
            .collect();
        let mut running = BTreeMap::new();
        for (host, known) in view.hosts.iter().filter(|(_, known)| !known.is_lost()) {
            let Some((inventory, _)) = &known.inventory else { continue };
            for actor in &inventory.actors {
                let Some(program) = actor.program else { continue };
                if let Some(name) = self.wanted.get(&(actor.id.clone(), program)) {
                    let (host, id) = (host.clone(), actor.id.clone());
                    running.insert(Probed { host, id, program }, name.clone());
                }
            }
        }
        // What ended and runs again is asked again.
        self.answers.retain(|probed, _| running.contains_key(probed));
        let due = running.into_iter().filter(|(probed, _)| {
            let is_due = self.answers.get(probed).is_none_or(|answered| {
                answered.outcome.is_err() && answered.at.elapsed() >= AGAIN_AFTER
            });
            is_due && !self.asking.contains(probed)
        });
        let due: Vec<_> = due.map(|(probed, name)| (name, probed)).collect();
        self.asking.extend(due.iter().map(|(_, probed)| probed.clone()));
        due
    }

    /// Takes an answer.
    pub(super) fn answered(&mut self, probed: Probed, outcome: Result<(), String>) {
        self.asking.remove(&probed);
        self.answers.insert(probed, Answered { at: Instant::now(), outcome });
    }

    /// Nothing is being asked any more whose answer would come.
    pub(super) fn forget_asked(&mut self) {
        self.asking.clear();
    }

    /// Whether something that runs counts: it needs no probe, or has answered it.
    pub(super) fn let_count(&self, host: &HostKey, id: &EntityId, running: &Running) -> bool {
        let Artifact::Digest(program) = running.artifact else { return true };
        !self.wanted.contains_key(&(id.clone(), program))
            || self.answer(host, id, program).is_some_and(|answered| answered.outcome.is_ok())
    }

    /// What was wrong with the last answer.
    pub(super) fn problem(&self, host: &HostKey, id: &EntityId, of: &Artifact) -> Option<&str> {
        let Artifact::Digest(program) = of else { return None };
        self.answer(host, id, *program)?.outcome.as_ref().err().map(String::as_str)
    }

    fn answer(&self, host: &HostKey, id: &EntityId, program: Digest) -> Option<&Answered> {
        self.answers.get(&Probed { host: host.clone(), id: id.clone(), program })
    }
}

/// The programs of a version on trial that have a probe. Those that the version before had, too, have been healthy.
fn wanted(declared: &Declared, rollout: Option<&Rollout>) -> Vec<(EntityId, Digest)> {
    let own = rollout.filter(|rollout| rollout.generation == declared.generation);
    if own.is_some_and(|rollout| rollout.healthy || rollout.given_up.is_some()) {
        return Vec::new();
    }
    let deployment = declared.deployment.as_ref();
    // What is gone back to has been healthy, and so has what goes on for others.
    let is_new = |it: &&Deployment| it.phase == Phase::Deployed && !it.is_return;
    let Some(deployment) = deployment.filter(is_new) else { return Vec::new() };
    let (Some(asked), before) = (deployment.version(), deployment.before()) else {
        return Vec::new();
    };
    let is_proven = |id: &EntityId, program: Digest| {
        before.is_some_and(|before: &Version| declared.runs_in(&before.name, id) == Some(program))
    };
    let probed = asked.components.iter().filter(|component| component.probe.is_some());
    let programs = probed.filter_map(|component| {
        let program = declared.runs_in(&asked.name, &component.id)?;
        (!is_proven(&component.id, program)).then(|| (component.id.clone(), program))
    });
    programs.collect()
}
