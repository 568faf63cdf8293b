//! One round: look, plan, send; and what came of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use tracing::{debug, info, warn};
use wattle_core::{
    EntityId, HostKey, Name,
    app::{ApplicationState, SignedDeployment},
    deployment::Phase,
};

use super::{
    Worker,
    act::{self, Done, Look, Write},
    observe,
    questions::LinkCommands,
    requests::{self, Told},
    rollouts::{self, Verdict},
    status::Seen,
};
use crate::{
    declared::{Declared, desired},
    plan::{Command, HostState, Observed, Plan, Status, application_of, plan},
};

/// Between two tries to write down what could not be.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// Between two times that hosts are told again of links that do not hold.
const RETRY_LINKS_EVERY: Duration = Duration::from_secs(5);

impl Worker {
    pub(super) fn round(&mut self) {
        let Some(term) = self.term else { return };
        (self.last_round, self.is_due) = (Some(Instant::now()), false);
        let now_ms = self.now_ms();
        for (application, probed) in self.probes.due(&self.view) {
            let text = self.view.deployments[&application].text.clone();
            self.tasks.spawn(act::probe(self.identity.clone(), term, text, probed));
        }
        let snapshot =
            observe::snapshot(&self.view, &self.probes, &self.identity.account, self.start);
        self.hold_what_has_no_place(&snapshot.observed);
        let lacking_before = self.lacking_before(&snapshot.observed);
        let desired = desired(self.view.applications());
        let round = self.reconciler.round(now_ms, &desired, &snapshot);
        for command in &round.commands {
            self.send(term, command.clone(), now_ms);
        }
        let failed_links = observe::failed_links(&self.view, &self.identity.account);
        let seen = Seen {
            view: &self.view,
            observed: &snapshot.observed,
            round: &round,
            reconciler: &self.reconciler,
            probes: &self.probes,
            failed_links: &failed_links,
            lacking_before: &lacking_before,
        };
        let mut statuses = Vec::new();
        let (mut ended, mut failing) = (Vec::new(), Vec::new());
        for (name, declared, rollout) in self.view.applications() {
            let Some((status, health)) = seen.status(name, declared, rollout) else { continue };
            if let Some(verdict) = self.trials.judge(declared, rollout, &status, health) {
                if let Verdict::GivenUp(reason) = &verdict {
                    warn!(application = %name, reason, "a version is given up");
                }
                let pending = self.pending.entry(name.clone()).or_default();
                pending.verdict = Some((declared.generation, verdict));
            }
            if !status.failed_links.is_empty() {
                failing.push(name.clone());
            }
            if may_end(name, declared, &snapshot.observed, &round.unsettled) {
                ended.push(name.clone());
            }
            statuses.push(status);
        }
        let deployments = self.view.applications().map(|(name, declared, rollout)| {
            let own = rollout.filter(|rollout| rollout.generation == declared.generation);
            // Written down it is in a moment.
            let is_settled = statuses.iter().any(|status| {
                status.application == *name
                    && status.phase == Phase::Deployed
                    && status.state == ApplicationState::Settled
            });
            let signed = SignedDeployment {
                token: declared.text.clone(),
                version: declared.target(rollout).map(|version| version.name.clone()),
                healthy: is_settled || own.is_some_and(|rollout| rollout.healthy),
            };
            (name.clone(), signed)
        });
        let deployments = deployments.collect();
        let told = Told { statuses, deployments };
        let before = std::mem::replace(&mut *self.told.lock(), told);
        self.tell_changes(term, &before.statuses);
        if self.requests.is_none() {
            self.requests = Some(requests::serve(&self.identity, &self.told));
        }
        self.write(term);
        ended.into_iter().for_each(|name| self.end(name));
        failing.into_iter().for_each(|name| self.retry_links(name));
    }

    /// A version that has less of a place than the one before does not begin: to make room for what cannot come would only stop what
    /// runs. What hosts could not do a moment ago is no matter here: it is tried again. One that has begun goes on.
    fn hold_what_has_no_place(&mut self, observed: &Observed) {
        for declared in self.view.deployments.values_mut() {
            declared.held.clear();
        }
        let to_begin = self
            .view
            .applications()
            .filter(|(_, it, rollout)| it.is_on_trial(*rollout) && !it.is_begun(*rollout));
        let to_begin: Vec<Name> = to_begin.map(|(name, ..)| name.clone()).collect();
        if to_begin.is_empty() {
            return;
        }
        let asked = plan(&desired(self.view.applications()), observed);
        self.hold(&to_begin, |name| no_place(&asked, name, observed));
        let before = plan(&desired(self.view.applications()), observed);
        self.hold(&to_begin, |name| match missing(&asked, name) > missing(&before, name) {
            true => no_place(&asked, name, observed),
            false => Vec::new(),
        });
    }

    /// Of each component of a version on trial, the instances that the version before would have no place for now.
    fn lacking_before(&mut self, observed: &Observed) -> BTreeMap<EntityId, u32> {
        let on_trial = self
            .view
            .applications()
            .filter(|(_, it, rollout)| it.is_on_trial(*rollout) && it.held.is_empty());
        let on_trial: Vec<Name> = on_trial.map(|(name, ..)| name.clone()).collect();
        if on_trial.is_empty() {
            return BTreeMap::new();
        }
        self.hold(&on_trial, |_| vec!["to see what the one before has".to_owned()]);
        let before = plan(&desired(self.view.applications()), observed);
        self.hold(&on_trial, |_| Vec::new());
        let of_trials = on_trial.iter().flat_map(|name| of(&before, name));
        of_trials.map(|(id, status)| (id.clone(), lacking(status))).collect()
    }

    fn hold(&mut self, names: &[Name], why: impl Fn(&Name) -> Vec<String>) {
        for name in names {
            if let Some(declared) = self.view.deployments.get_mut(name) {
                declared.held = why(name);
            }
        }
    }

    fn send(&mut self, term: u64, command: Command, sent_ms: u64) {
        match &command {
            Command::Run { id, .. } | Command::Stop { id, .. } => {
                let declared = application_of(id).and_then(|name| self.view.deployments.get(&name));
                let Some(declared) = declared else { return };
                debug!(%command, "command");
                let (identity, text) = (self.identity.clone(), declared.text.clone());
                self.tasks.spawn(act::tell(identity, term, text, command, sent_ms));
            }
            Command::PutLink { application, .. } | Command::DeleteLink { application, .. } => {
                let pending = self.pending.entry(application.clone()).or_default();
                pending.commands.push((command, sent_ms));
            }
        }
    }

    /// Writes down what has changed of rollouts, one record of each at a time.
    fn write(&mut self, term: u64) {
        let names: Vec<Name> = self.view.deployments.keys().cloned().collect();
        for name in names {
            let failed = self.failed.get(&name);
            if self.writing.contains(&name) || failed.is_some_and(|at| at.elapsed() < RETRY_EVERY) {
                continue;
            }
            let pending = self.pending.remove(&name).unwrap_or_default();
            let declared = &self.view.deployments[&name];
            let stored = self.view.rollouts.get(&name);
            let Some((generation, rollout)) = rollouts::next(term, declared, stored, &pending)
            else {
                self.answer(pending.commands, &Ok(()));
                continue;
            };
            let write = Write {
                application: name.clone(),
                commands: pending.commands,
                rollout,
                generation,
                known: stored.map_or_else(String::new, |stored| stored.text.clone()),
                revision: stored.map_or(0, |stored| stored.revision),
                hosts: self.hosts_of(declared),
            };
            self.tasks.spawn(act::write(self.identity.clone(), write));
            self.writing.insert(name);
        }
    }

    /// Hosts that run what an application's links lead from or to.
    fn hosts_of(&self, declared: &Declared) -> Vec<HostKey> {
        let versions = declared.deployment.iter().flat_map(|deployment| &deployment.versions);
        let links: Vec<_> = versions.flat_map(|version| &version.links).collect();
        let is_end =
            |id: &EntityId| links.iter().any(|link| link.source.id == *id || link.target.id == *id);
        let concerned = observe::reachable(&self.view).filter(|(_, inventory)| {
            inventory.actors.iter().any(|actor| is_end(&actor.id))
                || inventory.providers.iter().any(|provider| is_end(&provider.id))
        });
        concerned.map(|(host, _)| host.clone()).collect()
    }

    pub(super) fn answer(&mut self, commands: LinkCommands, outcome: &Result<(), String>) {
        let now_ms = self.now_ms();
        for (command, sent_ms) in commands {
            self.reconciler.answered(now_ms, sent_ms, &command, outcome.clone());
        }
    }

    /// The user has signed the end of a deployment, and nothing of it is left.
    fn end(&mut self, name: Name) {
        let declared = &self.view.deployments[&name];
        let end = declared.deployment.as_ref().and_then(|deployment| deployment.end.clone());
        let failed = self.failed.get(&name);
        let waits = self.writing.contains(&name)
            || failed.is_some_and(|at| at.elapsed() < RETRY_LINKS_EVERY);
        let (Some(end), false) = (end, waits) else { return };
        let (identity, known) = (self.identity.clone(), declared.text.clone());
        self.writing.insert(name.clone());
        self.tasks.spawn(act::end(identity, name, known, end));
    }

    fn retry_links(&mut self, name: Name) {
        let last = self.retried.get(&name);
        if last.is_some_and(|last| last.elapsed() < RETRY_LINKS_EVERY) {
            return;
        }
        self.retried.insert(name.clone(), Instant::now());
        let (Some(stored), Some(declared)) =
            (self.view.rollouts.get(&name), self.view.deployments.get(&name))
        else {
            return;
        };
        let (identity, hosts) = (self.identity.clone(), self.hosts_of(declared));
        self.tasks.spawn(act::retry(identity, name, hosts, stored.text.clone()));
    }

    /// What came of what was sent.
    pub(super) fn take_in(&mut self, done: Done) {
        self.is_due = true;
        let now_ms = self.now_ms();
        match done {
            Done::Told { command, sent_ms, outcome } => {
                match &outcome {
                    Ok(()) => info!(%command, "done"),
                    Err(reason) => warn!(%command, reason, "a host could not"),
                }
                self.reconciler.answered(now_ms, sent_ms, &command, outcome);
                if let Command::Run { host, .. } | Command::Stop { host, .. } = command {
                    self.ask_anew(host);
                }
            }
            Done::Probed { probed, outcome } => {
                if let Err(reason) = &outcome {
                    debug!(host = %probed.host, id = %probed.id, reason, "a probe failed");
                }
                self.probes.answered(probed, outcome);
            }
            Done::Asked(look) => self.see(look),
            Done::Wrote { application, commands, outcome, told } => {
                self.writing.remove(&application);
                let said = outcome.as_ref().map(drop).map_err(Clone::clone);
                match outcome {
                    Ok(stored) => {
                        let known = self.view.rollouts.get(&application);
                        if known.is_none_or(|known| known.generation <= stored.generation) {
                            self.view.rollouts.insert(application, *stored);
                        }
                    }
                    Err(reason) => {
                        warn!(%application, reason, "a rollout is not written down");
                        self.failed.insert(application, Instant::now());
                    }
                }
                // Whether a link holds, its ends' hosts know: until they say so, nothing has settled.
                match told.is_empty() {
                    true => self.answer(commands, &said),
                    false => self.questions.wait(told.clone(), commands),
                }
                told.into_iter().for_each(|host| self.ask_anew(host));
            }
            Done::Ended { application, outcome } => {
                self.writing.remove(&application);
                // Until the store says so, it is tried again, seldom.
                self.failed.insert(application.clone(), Instant::now());
                match outcome {
                    Ok(()) => info!(%application, "a deployment has ended"),
                    Err(reason) => warn!(%application, reason, "a deployment has not ended yet"),
                }
            }
            Done::Retried { application, told } => {
                debug!(%application, "its links were tried again");
                told.into_iter().for_each(|host| self.ask_anew(host));
            }
        }
    }

    fn see(&mut self, look: Look) {
        let Look { host, at, inventory } = look;
        let (is_again, done) = self.questions.answered(&host, at, inventory.is_ok());
        self.answer(done, &Ok(()));
        if is_again {
            self.tasks.spawn(act::look(self.identity.clone(), host.clone()));
        }
        let known = self.view.hosts.get_mut(&host);
        match (inventory, known) {
            (Ok(inventory), Some(known)) => {
                known.inventory = Some((*inventory, at));
            }
            (Ok(_), None) => {}
            (Err(reason), _) => debug!(%host, reason, "a host does not say what it runs"),
        }
    }

    /// What a host runs has changed, even where its beat has not said so yet.
    pub(super) fn ask_anew(&mut self, host: HostKey) {
        if self.questions.want(&host) {
            self.tasks.spawn(act::look(self.identity.clone(), host));
        }
    }
}

/// Instances of an application that have no place.
fn missing(plan: &Plan, name: &Name) -> u32 {
    of(plan, name).map(|(_, status)| lacking(status)).sum()
}

fn lacking(status: &Status) -> u32 {
    let shares = status.placement.shares.iter();
    shares.map(|it| it.wanted.saturating_sub(it.placed + it.elsewhere)).sum()
}

/// The same, a line for each share.
fn no_place(plan: &Plan, name: &Name, observed: &Observed) -> Vec<String> {
    of(plan, name)
        .flat_map(|(id, status)| crate::observed::no_place(id, status, observed))
        .collect()
}

fn of<'a>(plan: &'a Plan, name: &'a Name) -> impl Iterator<Item = (&'a EntityId, &'a Status)> {
    plan.status.iter().filter(|(id, _)| id.application() == Some(name.as_str()))
}

/// Whether nothing of an application that is to go is left.
fn may_end(
    name: &Name,
    declared: &Declared,
    observed: &Observed,
    unsettled: &BTreeSet<Name>,
) -> bool {
    let is_to_end = declared.deployment.as_ref().is_some_and(|deployment| {
        deployment.phase == Phase::Undeployed && deployment.end.is_some()
    });
    // A host that is lost is told to stop it when it is back.
    let mut hosts = observed.hosts.values().filter(|host| host.state != HostState::Lost);
    let runs = |id: &EntityId| id.application() == Some(name.as_str());
    is_to_end
        && !unsettled.contains(name)
        && !observed.links.values().any(|link| link.application == *name)
        && !hosts.any(|host| host.running.keys().any(runs))
}
