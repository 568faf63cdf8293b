//! How far each deployment has come, and what is to be written down of it. Nothing here performs I/O.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use wattle_claims::{GivenUp, Rollout};
use wattle_core::{
    Name,
    app::ApplicationStatus,
    deployment::{Deployment, Phase},
};

use super::{questions::LinkCommands, status::Health, view::StoredRollout};
use crate::{declared::Declared, plan::Command};

/// A term leaves room for so many changes of one rollout under it, before the next term's begin.
const CHANGES_OF_TERM: u32 = 20;

/// What has to be written down of one application, besides what is.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Commands of the planner about its links, with the time of their round.
    pub(super) commands: LinkCommands,
    /// Of the deployment of this generation.
    pub(super) verdict: Option<(u64, Verdict)>,
}

/// What became of the version that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Healthy,
    /// As a canary: it goes to all hosts.
    Promoted,
    GivenUp(String),
}

/// The deployments that are not healthy yet.
#[derive(Debug, Default)]
pub(super) struct Trials(BTreeMap<Name, Trial>);

#[derive(Debug)]
struct Trial {
    /// The generation of the deployment's record.
    generation: u64,
    since: Instant,
    /// Since when it has been well as a canary.
    canary: Option<Instant>,
    /// What went wrong, when it was last looked at and something did: at any moment it may be tried again.
    problems: Vec<String>,
}

impl Trials {
    /// Judges the version that is run, if there is something new to say.
    pub(super) fn judge(
        &mut self,
        declared: &Declared,
        rollout: Option<&Rollout>,
        status: &ApplicationStatus,
        health: Health,
    ) -> Option<Verdict> {
        let name = &status.application;
        let own = rollout.filter(|rollout| rollout.generation == declared.generation);
        let deployment = declared.deployment.as_ref()?;
        if deployment.phase == Phase::Undeployed || own.is_some_and(|rollout| rollout.healthy) {
            self.0.remove(name);
            return None;
        }
        if health == Health::Well {
            self.0.remove(name);
            return Some(Verdict::Healthy);
        }
        let trial = self.trial(name, declared.generation);
        if health == Health::Canary {
            // The time that it has to be healthy within begins when it is not.
            trial.since = Instant::now();
            let since = *trial.canary.get_or_insert(trial.since);
            let for_s = deployment.canary.map_or(0, |canary| canary.for_s);
            let is_over = since.elapsed() >= Duration::from_secs(for_s.into());
            return is_over.then_some(Verdict::Promoted);
        }
        trial.canary = None;
        if health == Health::Nowhere {
            trial.since = Instant::now();
            return None;
        }
        let problems = status.problems();
        if !problems.is_empty() {
            trial.problems = problems;
        }
        let patience = Duration::from_secs(deployment.version()?.healthy_within_s.into());
        let was_given_up = own.is_some_and(|rollout| rollout.given_up.is_some());
        if was_given_up || deployment.before().is_none() || trial.since.elapsed() < patience {
            return None;
        }
        let why = match trial.problems.as_slice() {
            [] => "it did not settle".to_owned(),
            problems => problems.join("; "),
        };
        let text = format!("not healthy within {} s: {why}", patience.as_secs());
        Some(Verdict::GivenUp(text))
    }

    /// Another record is another trial.
    fn trial(&mut self, name: &Name, generation: u64) -> &mut Trial {
        let now = Instant::now();
        let begin = || Trial { generation, since: now, canary: None, problems: Vec::new() };
        let trial = self.0.entry(name.clone()).or_insert_with(begin);
        if trial.generation != generation {
            *trial = begin();
        }
        trial
    }
}

/// What is to stand there, and under which generation; none if nothing is to be changed. A deployment that has ended ends its rollout.
pub(super) fn next(
    term: u64,
    declared: &Declared,
    stored: Option<&StoredRollout>,
    pending: &Pending,
) -> Option<(u64, Option<Rollout>)> {
    let known = stored.and_then(|stored| stored.rollout.as_ref());
    let wanted = declared.target(known).map(|_| rollout(term, declared, known, pending));
    if wanted.as_ref() == known {
        return None;
    }
    let after = stored.map_or(0, |stored| stored.generation.saturating_add(1));
    Some((after.max(term << CHANGES_OF_TERM), wanted))
}

fn rollout(term: u64, declared: &Declared, known: Option<&Rollout>, pending: &Pending) -> Rollout {
    let version = |rollout: Option<&Rollout>| {
        declared.target(rollout).expect("it has not ended").name.clone()
    };
    let generation = declared.generation;
    // Another deployment is another attempt: of the last one, only the links are as they are.
    let same = known.filter(|known| known.generation == generation).cloned();
    let mut next = same.unwrap_or_else(|| Rollout {
        term,
        generation,
        version: version(None),
        healthy: false,
        promoted: false,
        links: known.map_or_else(BTreeSet::new, |known| known.links.clone()),
        given_up: None,
    });
    next.term = term;
    // One on another deployment, which came in between, says nothing of this one.
    let verdict = pending.verdict.as_ref().filter(|(of, _)| *of == generation);
    match verdict.map(|(_, verdict)| verdict) {
        Some(Verdict::Healthy) => next.healthy = true,
        Some(Verdict::Promoted) => next.promoted = true,
        Some(Verdict::GivenUp(reason)) => {
            let asked = declared.deployment.as_ref().and_then(Deployment::version);
            let version = asked.expect("it has not ended").name.clone();
            next.given_up = Some(GivenUp { version, reason: reason.clone() });
        }
        None => {}
    }
    next.version = version(Some(&next));
    for (command, _) in &pending.commands {
        let (Command::PutLink { key, .. } | Command::DeleteLink { key, .. }) = command else {
            continue;
        };
        next.links.retain(|content| declared.link(content).is_some_and(|(known, _)| known != key));
        if let Command::PutLink { .. } = command {
            next.links.extend(declared.content(Some(&next), key));
        }
    }
    next
}

#[cfg(test)]
mod tests;
