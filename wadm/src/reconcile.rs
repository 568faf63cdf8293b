//! The reconcile loop without its I/O: from one snapshot to the commands to send, and what came of them.
//!
//! Whoever holds the lease calls [`Reconciler::round`] with a fresh snapshot whenever something has changed, and every few seconds in
//! any case, sends what it answers, and says with [`Reconciler::answered`] how that went. What is kept between rounds is only what no
//! snapshot can show: what is under way, and what has failed.

mod view;

use std::collections::{BTreeMap, BTreeSet};

use wattle_core::{EntityId, HostKey, Name, link::LinkKey};

use crate::plan::{self, Artifact, Command, Desired, HostState, Observed, Status, plan};

/// Milliseconds within which a command is answered; then it has expired, and no host follows it any more.
pub const COMMAND_MS: u64 = 30_000;

/// Milliseconds that something may run without answering; then its host is taken not to be able to run it.
const SILENT_MS_MAX: u64 = 30_000;

/// Milliseconds until something that failed is tried again: doubled with each failure in a row.
const BACKOFF_MS_MIN: u64 = 1_000;
const BACKOFF_MS_MAX: u64 = 60_000;

/// Commands under way, of all hosts and of one: starting takes a host's processors and its uplink.
const UNDER_WAY_MAX: usize = 64;
const UNDER_WAY_OF_ONE_MAX: usize = 4;

/// What is there, and when it was seen.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What is there.
    pub observed: Observed,
    /// When each host said so: milliseconds of the clock that rounds are given.
    pub hosts_at_ms: BTreeMap<HostKey, u64>,
    /// When the links were read.
    pub links_at_ms: u64,
}

/// What is remembered between rounds.
#[derive(Debug, Default)]
pub struct Reconciler {
    under_way: BTreeMap<Subject, UnderWay>,
    failed: BTreeMap<Subject, Failed>,
    /// Since when something runs and does not answer.
    silent: BTreeMap<(HostKey, EntityId), u64>,
}

/// What a command is about: of each there is one command at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    On(HostKey, EntityId),
    Link(LinkKey),
}

#[derive(Clone, Debug)]
struct UnderWay {
    command: Command,
    sent_ms: u64,
    /// When it was answered, with success. It counts until a snapshot from after that shows what came of it.
    done_ms: Option<u64>,
}

#[derive(Clone, Debug)]
struct Failed {
    artifact: Option<Artifact>,
    reason: String,
    times: u32,
    until_ms: u64,
}

/// What one round gave.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// To be sent.
    pub commands: Vec<Command>,
    /// How each component stands.
    pub status: BTreeMap<EntityId, Status>,
    /// Whether there is nothing to do and nothing under way, and everything that has a place answers there.
    pub is_settled: bool,
    /// Applications of which that does not hold.
    pub unsettled: BTreeSet<Name>,
    /// Those among them of which it holds but for what a canary keeps from going further.
    pub canaries: BTreeSet<Name>,
    /// When something that failed is to be tried again, so that another round is due.
    pub again_ms: Option<u64>,
}

impl Reconciler {
    /// Looks at what is there, and says what to do now.
    pub fn round(&mut self, now_ms: u64, desired: &Desired, snapshot: &Snapshot) -> Round {
        self.forget(now_ms, snapshot);
        self.notice_silence(now_ms, snapshot);
        let view = self.view(now_ms, desired, snapshot);
        let plan = plan(desired, &view);
        let mut commands = Vec::new();
        let is_met = |status: &Status| status.answers() && !status.is_canary;
        let mut is_settled = self.under_way.is_empty() && plan.status.values().all(is_met);
        let mut unsettled: BTreeSet<Name> = self
            .under_way
            .values()
            .filter_map(|under_way| application_of(&under_way.command))
            .collect();
        let is_silent = |status: &Status| !status.answers() && !status.is_canary;
        let silent = plan.status.iter().filter(|(_, status)| is_silent(status));
        unsettled.extend(silent.filter_map(|(id, _)| plan::application_of(id)));
        for command in plan.commands {
            let subject = Subject::of(&command);
            let waits = self.failed.get(&subject).is_some_and(|failed| {
                failed.until_ms > now_ms && failed.artifact.as_ref() == artifact(&command)
            });
            is_settled = false;
            unsettled.extend(application_of(&command));
            if waits || self.under_way.contains_key(&subject) || !self.has_room(&subject) {
                continue;
            }
            let sent = UnderWay { command: command.clone(), sent_ms: now_ms, done_ms: None };
            self.under_way.insert(subject, sent);
            commands.push(command);
        }
        let canaries = plan.status.iter().filter(|(_, status)| status.is_canary);
        let mut canaries: BTreeSet<Name> =
            canaries.filter_map(|(id, _)| plan::application_of(id)).collect();
        canaries.retain(|name| !unsettled.contains(name));
        unsettled.extend(canaries.iter().cloned());
        let again = self.failed.values().map(|failed| failed.until_ms);
        let again_ms = again.filter(|until_ms| *until_ms > now_ms).min();
        Round { commands, status: plan.status, is_settled, unsettled, canaries, again_ms }
    }

    /// Why a host could not do what it was told of something, until it is tried again.
    pub fn problem(&self, host: &HostKey, id: &EntityId) -> Option<&str> {
        let failed = self.failed.get(&Subject::On(host.clone(), id.clone()))?;
        Some(&failed.reason)
    }

    /// What came of the command that the round at `sent_ms` gave: an answer to an earlier one that said the same says nothing of
    /// this one. One that is no longer under way is answered too late: the next snapshot shows what it did.
    pub fn answered(
        &mut self,
        now_ms: u64,
        sent_ms: u64,
        command: &Command,
        outcome: Result<(), String>,
    ) {
        let subject = Subject::of(command);
        let Some(under_way) = self.under_way.get_mut(&subject) else { return };
        let is_this = under_way.command == *command && under_way.sent_ms == sent_ms;
        if !is_this || under_way.done_ms.is_some() {
            return;
        }
        match outcome {
            Ok(()) => {
                under_way.done_ms = Some(now_ms);
                // To have stopped what failed, or to run something else, is no reason to try it again sooner.
                let is_same = |failed: &Failed| failed.artifact.as_ref() == artifact(command);
                if self.failed.get(&subject).is_some_and(is_same) {
                    self.failed.remove(&subject);
                }
            }
            Err(reason) => {
                self.under_way.remove(&subject);
                self.fail(now_ms, subject, artifact(command).cloned(), reason);
            }
        }
    }

    /// Forgets what a snapshot shows by now, and what nobody answered.
    fn forget(&mut self, now_ms: u64, snapshot: &Snapshot) {
        let seen_ms = |subject: &Subject| match subject {
            Subject::On(host, _) => snapshot.hosts_at_ms.get(host).copied().unwrap_or(0),
            Subject::Link(_) => snapshot.links_at_ms,
        };
        // Who is lost answers nothing, and its part is done elsewhere; when it is back, what it runs is looked at.
        let is_lost = |subject: &Subject| match subject {
            Subject::On(host, _) => {
                let there = snapshot.observed.hosts.get(host);
                there.is_some_and(|there| there.state == HostState::Lost)
            }
            Subject::Link(_) => false,
        };
        let mut expired = Vec::new();
        self.under_way.retain(|subject, under_way| match under_way.done_ms {
            _ if is_lost(subject) => false,
            Some(done_ms) => seen_ms(subject) <= done_ms && done_ms + COMMAND_MS > now_ms,
            None if under_way.sent_ms + COMMAND_MS > now_ms => true,
            None => {
                expired.push((subject.clone(), artifact(&under_way.command).cloned()));
                false
            }
        });
        for (subject, artifact) in expired {
            let reason = format!("no answer within {} s", COMMAND_MS / 1_000);
            self.fail(now_ms, subject, artifact, reason);
        }
        // What has not failed again for long is forgotten.
        self.failed.retain(|_, failed| failed.until_ms + BACKOFF_MS_MAX > now_ms);
    }

    /// What runs without answering for long has failed as much as what did not start.
    fn notice_silence(&mut self, now_ms: u64, snapshot: &Snapshot) {
        let hosts = snapshot.observed.hosts.iter();
        let hosts = hosts.filter(|(_, host)| host.state != HostState::Lost);
        let silent: BTreeMap<(HostKey, EntityId), &Artifact> = hosts
            .flat_map(|(host, there)| there.running.iter().map(move |(id, it)| (host, id, it)))
            .filter(|(_, _, running)| running.ready == 0 && running.instances > 0)
            .map(|(host, id, running)| ((host.clone(), id.clone()), &running.artifact))
            .collect();
        self.silent.retain(|at, _| silent.contains_key(at));
        for (at, artifact) in silent {
            let since_ms = *self.silent.entry(at.clone()).or_insert(now_ms);
            if now_ms.saturating_sub(since_ms) < SILENT_MS_MAX {
                continue;
            }
            let subject = Subject::On(at.0, at.1);
            if self.failed.get(&subject).is_none_or(|failed| failed.until_ms <= now_ms) {
                let reason = format!("it has not answered for {} s", SILENT_MS_MAX / 1_000);
                self.fail(now_ms, subject, Some(artifact.clone()), reason);
            }
        }
    }

    fn fail(&mut self, now_ms: u64, subject: Subject, artifact: Option<Artifact>, reason: String) {
        let before = self.failed.get(&subject).filter(|failed| failed.artifact == artifact);
        let times = before.map_or(0, |failed| failed.times).saturating_add(1);
        let wait_ms = BACKOFF_MS_MIN << (times - 1).min(10);
        let until_ms = now_ms + wait_ms.min(BACKOFF_MS_MAX);
        self.failed.insert(subject, Failed { artifact, reason, times, until_ms });
    }

    fn has_room(&self, subject: &Subject) -> bool {
        let waiting = self.under_way.iter().filter(|(_, under_way)| under_way.done_ms.is_none());
        let is_of_same = |other: &Subject| match (subject, other) {
            (Subject::On(host, _), Subject::On(other, _)) => host == other,
            _ => false,
        };
        waiting.clone().count() < UNDER_WAY_MAX
            && waiting.filter(|(other, _)| is_of_same(other)).count() < UNDER_WAY_OF_ONE_MAX
    }
}

impl Subject {
    fn of(command: &Command) -> Self {
        match command {
            Command::Run { host, id, .. } | Command::Stop { host, id } => {
                Self::On(host.clone(), id.clone())
            }
            Command::PutLink { key, .. } | Command::DeleteLink { key, .. } => {
                Self::Link(key.clone())
            }
        }
    }
}

/// The application that a command is for.
fn application_of(command: &Command) -> Option<Name> {
    match command {
        Command::Run { id, .. } | Command::Stop { id, .. } => plan::application_of(id),
        Command::PutLink { application, .. } | Command::DeleteLink { application, .. } => {
            Some(application.clone())
        }
    }
}

fn artifact(command: &Command) -> Option<&Artifact> {
    match command {
        Command::Run { artifact, .. } => Some(artifact),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
