//! What a simulated host runs, and what it was told: it does as a real one does, in memory and at once.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use wattle_claims::{DeploymentRecord, RecordKey, Signed, Timestamp, Trust, Verified, content_of};
use wattle_core::{
    Digest, EntityId, Name,
    control::{Command, Failure, FailureKind, Goal, Outcome, Reconcile, Scale},
    deployment::{Component, Deployment, Kind, Scaler},
    inventory::{ActorStatus, ProviderState, ProviderStatus},
};

/// A command that is no question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// To run or stop something.
    Reconcile(EntityId, Goal),
    /// To take a record.
    Record,
    /// Anything else, which wadm does not say.
    Other(String),
}

/// One component as it runs on a host.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Runs {
    pub(crate) component: Component,
    pub(crate) program: Digest,
    pub(crate) instances: u16,
}

impl Runs {
    /// Whether it has to run somewhere else once this host is lost. What is for each host has no other place.
    pub(crate) fn moves(&self) -> bool {
        matches!(self.component.scaler, Scaler::Spread { .. })
    }
}

/// Everything that a simulated host knows.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) running: BTreeMap<EntityId, Runs>,
    pub(crate) told: Vec<Told>,
    /// Why it did not do what it was told.
    pub(crate) refused: Vec<Failure>,
    /// Questions what it runs.
    pub(crate) asked: usize,
    /// Artifacts that it has.
    pub(crate) cached: BTreeSet<Digest>,
    /// The deployments that commands brought, as they were signed.
    deployments: BTreeMap<Name, (String, Deployment)>,
}

impl State {
    /// Does what a command says, whose signatures hold; none where it is the question what runs.
    pub(crate) fn obey(
        &mut self,
        command: &Verified<Command>,
        labels: &BTreeMap<String, String>,
        trust: &Trust,
    ) -> Option<Result<Outcome, Failure>> {
        let outcome = match &command.body {
            Command::GetInventory => {
                self.asked += 1;
                return None;
            }
            Command::PutRecord { .. } => {
                self.told.push(Told::Record);
                Ok(())
            }
            Command::Reconcile(asked) => {
                self.told.push(Told::Reconcile(asked.id.clone(), asked.goal));
                self.reconcile(asked, labels, trust)
            }
            other => {
                self.told.push(Told::Other(format!("{other:?}")));
                Err(denied("wadm does not say this"))
            }
        };
        let outcome = match command.is_by_wadm() {
            true => outcome,
            false => Err(denied("only wadm commands here")),
        };
        self.refused.extend(outcome.as_ref().err().cloned());
        Some(outcome.map(|()| Outcome::Done { unchanged: false, detail: None }))
    }

    fn reconcile(
        &mut self,
        asked: &Reconcile,
        labels: &BTreeMap<String, String>,
        trust: &Trust,
    ) -> Result<(), Failure> {
        let (program, instances) = match asked.goal {
            Goal::Run { program, instances } => (program, instances.get()),
            Goal::Stop => {
                self.running.remove(&asked.id);
                return Ok(());
            }
            Goal::Probe { .. } => return Err(denied("the deployment has no probe")),
        };
        let components = self.learn(&asked.deployment, trust)?.versions.iter();
        let is_meant = |it: &&Component| it.id == asked.id && content_of(&it.program) == program;
        let component = components.flat_map(|version| &version.components).find(is_meant);
        let component = component.ok_or_else(|| denied("the deployment has no such program"))?;
        if instances > component.scaler.instances() || !component.scaler.allows(labels) {
            return Err(denied("the deployment does not say so of this host"));
        }
        let component = component.clone();
        self.cached.insert(component.program.artifact);
        self.running.insert(asked.id.clone(), Runs { component, program, instances });
        Ok(())
    }

    /// The deployment that a command brings. What is known by now was verified when it came.
    fn learn(&mut self, token: &str, trust: &Trust) -> Result<&Deployment, Failure> {
        let claims = |text: String| Failure::new(FailureKind::Claims, text);
        let signed = Signed::<DeploymentRecord>::parse(token);
        let signed = signed.map_err(|error| claims(error.to_string()))?;
        let peeked = signed.peek().map_err(|error| claims(error.to_string()))?;
        let RecordKey::Deployment { application, .. } = peeked.body.key else {
            return Err(claims("it is no deployment".to_owned()));
        };
        let known = self.deployments.get(&application);
        if known.is_none_or(|(text, _)| text != token) {
            let record = signed.verify(trust, Timestamp::now());
            let record = record.map_err(|error| claims(error.to_string()))?;
            let deployment = record.body.value.clone();
            let deployment = deployment.ok_or_else(|| denied("the deployment has ended"))?;
            self.deployments.insert(application.clone(), (token.to_owned(), deployment));
        }
        Ok(&self.deployments[&application].1)
    }

    /// A number that changes with what runs.
    pub(crate) fn number(&self) -> u64 {
        let running = self.running.iter().map(|(id, it)| (id, it.program, it.instances));
        let hash = content_of(&running.collect::<Vec<_>>());
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash is longer"))
    }

    /// What of a kind runs.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = (&EntityId, &Runs)> {
        self.running.iter().filter(move |(_, it)| it.component.program.kind() == kind)
    }
}

fn denied(why: &str) -> Failure {
    Failure::new(FailureKind::Denied, why)
}

pub(crate) fn actor((id, runs): (&EntityId, &Runs)) -> ActorStatus {
    let program = &runs.component.program;
    let interface = || "shop:parts/answer".parse().expect("an interface");
    ActorStatus {
        id: id.clone(),
        identity: program.identity.clone(),
        artifact: program.artifact,
        program: Some(runs.program),
        name: "part".to_owned(),
        denied: None,
        scale: Scale::UpTo(runs.instances.try_into().expect("it was told to run some")),
        imports: vec![interface()],
        exports: vec![interface()],
        calls: 0,
        failures: BTreeMap::new(),
        in_flight: 0,
        queued: 0,
        compiled_from_cache: true,
    }
}

pub(crate) fn provider((id, runs): (&EntityId, &Runs)) -> ProviderStatus {
    let program = &runs.component.program;
    ProviderStatus {
        id: id.clone(),
        identity: program.identity.clone(),
        artifact: program.artifact,
        program: Some(runs.program),
        name: "gate".to_owned(),
        state: ProviderState::Ready { pid: 1 },
        imports: vec!["wasi:http/incoming-handler".parse().expect("an interface")],
        exports: Vec::new(),
        restarts: 0,
        last_exit: None,
    }
}
