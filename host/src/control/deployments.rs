//! What wadm has this host do: only under the newest lease, and only what the deployment says, which a user signed.

use std::sync::Arc;

use tracing::warn;
use wattle_claims::{
    DeploymentRecord, Lease, RecordKey, Signed, TokenKind, Verified, content_of, peek_kind,
};
use wattle_core::{
    AccountKey, Digest, EntityId, Link, Name,
    control::{
        Command, Failure, FailureKind, Goal, Outcome, Reconcile, Scale, StartActor, StartProvider,
    },
    deployment::{Component, Deployment, Kind, Phase},
    inventory::{FailedLink, LinkState},
};

use super::{Control, actors::done, records::refusal};
use crate::{
    records::Source,
    registry::{declared, identity_of_actor, identity_of_provider},
};

impl Control {
    /// Makes one component so, or says why this host may not.
    pub(super) async fn reconcile(
        self: &Arc<Self>,
        command: &Verified<Command>,
        asked: &Reconcile,
    ) -> Result<Outcome, Failure> {
        let account = command.account();
        self.check_lease(&command.issuer, account, asked.term).await?;
        let application = self.learn(account, asked)?;
        match asked.goal {
            Goal::Run { program, instances } => {
                let declared = self.declared(account, &application, &asked.id, program)?;
                // Two versions may run the same program, here or there, and more or less of it.
                let mut bounds = declared.iter().map(|it| self.check_bounds(it, instances.get()));
                let (first, others) = (bounds.next(), bounds.any(|other| other.is_ok()));
                if let Some(Err(denied)) = first.filter(|_| !others) {
                    return Err(denied);
                }
                self.run(&declared[0], program, Scale::UpTo(instances)).await
            }
            Goal::Stop => self.stop_declared(account, &asked.id).await,
            Goal::Probe { program } => {
                let declared = self.declared(account, &application, &asked.id, program)?;
                self.probe(&declared, program).await
            }
        }
    }

    /// Whether who commands holds the lease. A lease that is not known here is looked for.
    async fn check_lease(
        &self,
        issuer: &str,
        account: &AccountKey,
        term: u64,
    ) -> Result<(), Failure> {
        let is_held = || {
            let held = self.leases.of(account);
            held.is_some_and(|held| held.holder.as_str() == issuer && held.term == term)
        };
        if is_held() {
            return Ok(());
        }
        self.look_for_lease(account).await?;
        if is_held() {
            return Ok(());
        }
        let held = self.leases.of(account);
        let held = held.map_or_else(
            || "nobody holds it".to_owned(),
            |held| format!("host {} holds it with term {}", held.holder, held.term),
        );
        let text = format!("{issuer} does not hold the lease with term {term}: {held}");
        Err(Failure::new(FailureKind::Stale, text))
    }

    async fn look_for_lease(&self, account: &AccountKey) -> Result<(), Failure> {
        let key = Lease::key(account);
        let found = async { self.lattice.records().await?.get(&key).await }.await;
        match found {
            Ok(Some((token, revision))) => self.read_lease(&key, &token, revision),
            Ok(None) => {}
            Err(error) => {
                let text = format!("this host cannot see who holds the lease: {error}");
                return Err(Failure::new(FailureKind::Host, text));
            }
        }
        Ok(())
    }

    /// What the lattice's store says of a lease.
    pub(crate) fn read_lease(&self, key: &str, token: &str, revision: u64) {
        let (trust, now) = (self.registry.trust(), self.registry.now());
        if let Err(error) = self.leases.read(key, token, revision, &trust, now) {
            self.reports.refused("lease in the store", &error.to_string());
        }
    }

    /// Takes the deployment that the command brings, unless a newer one is known.
    fn learn(&self, account: &AccountKey, asked: &Reconcile) -> Result<Name, Failure> {
        let claims = |text: &str| Failure::new(FailureKind::Claims, text);
        if peek_kind(&asked.deployment).ok() != Some(TokenKind::Deployment) {
            return Err(claims("the command brings no deployment"));
        }
        let peeked = Signed::<DeploymentRecord>::parse(&asked.deployment)
            .and_then(|record| record.peek())
            .map_err(|error| claims(&error.to_string()))?;
        let key = peeked.body.key;
        // What is kept here was verified when it came. What its user may no longer grant may still be stopped.
        if !self.registry.keeps_record(&key, &asked.deployment) {
            self.registry
                .put_record(&asked.deployment, Source::Host)
                .map_err(|error| refusal(&error))?;
        }
        let RecordKey::Deployment { account: owner, application } = &key else {
            return Err(claims("the command brings no deployment"));
        };
        if owner != account {
            let text = format!("a wadm of {account} does not act for {owner}");
            return Err(Failure::new(FailureKind::Denied, text));
        }
        if asked.id.application() != Some(application.as_str()) {
            let text = format!("{} is not of the application {application}", asked.id);
            return Err(Failure::new(FailureKind::Denied, text));
        }
        Ok(application.clone())
    }

    /// The components that the deployment says may run as this: at least one, each of a version.
    fn declared(
        &self,
        account: &AccountKey,
        application: &Name,
        id: &EntityId,
        program: Digest,
    ) -> Result<Vec<Component>, Failure> {
        let denied = |text: String| Failure::new(FailureKind::Denied, text);
        let (trust, now) = (self.registry.trust(), self.registry.now());
        self.registry.look(|view| {
            let record = declared::deployment(view.records, account, application);
            let record: &Verified<DeploymentRecord> =
                record.ok_or_else(|| denied(format!("no deployment of {application} is known")))?;
            let standing = record.standing(&trust, now);
            standing
                .map_err(|error| denied(format!("the deployment of {application}: {error}")))?;
            let deployment: &Deployment = record
                .body
                .value
                .as_ref()
                .ok_or_else(|| denied(format!("the deployment of {application} has ended")))?;
            if deployment.phase == Phase::Undeployed
                && !declared::is_used(view.records, account, application)
            {
                return Err(denied(format!("{application} is undeployed, and nobody uses it")));
            }
            let components = deployment.versions.iter().flat_map(|version| &version.components);
            let is_meant = |it: &&Component| it.id == *id && content_of(&it.program) == program;
            let meant: Vec<Component> = components.filter(is_meant).cloned().collect();
            match meant.is_empty() {
                false => Ok(meant),
                true => {
                    Err(denied(format!("the deployment of {application} has no {program} as {id}")))
                }
            }
        })
    }

    fn check_bounds(&self, component: &Component, instances: u16) -> Result<(), Failure> {
        let (id, most) = (&component.id, component.scaler.instances());
        let denied = |text: String| Err(Failure::new(FailureKind::Denied, text));
        if instances > most {
            return denied(format!(
                "{instances} instances of {id} are more than the {most} declared"
            ));
        }
        if component.program.kind() == Kind::Provider && instances != 1 {
            return denied(format!("a host runs one process of {id}, not {instances}"));
        }
        if !component.scaler.allows(&self.labels) {
            return denied(format!("{id} is not declared for a host with these labels"));
        }
        Ok(())
    }

    async fn run(
        self: &Arc<Self>,
        component: &Component,
        program: Digest,
        scale: Scale,
    ) -> Result<Outcome, Failure> {
        let (id, declared) = (component.id.clone(), &component.program);
        let (config, values) = (declared.config.named.clone(), declared.config.values.clone());
        let (artifact, program) = (declared.artifact, Some(program));
        match declared.kind() {
            Kind::Actor => {
                if self.registry.provider(&id).is_some() {
                    return Err(other_kind(&id, "a provider"));
                }
                let limits = declared.limits;
                let start = StartActor { id, artifact, scale, config, limits, values, program };
                // More or fewer at once of the same is no other one.
                match self.registry.actor(&start.id) {
                    Some((_, runs))
                        if runs == (StartActor { scale: runs.scale, ..start.clone() }) =>
                    {
                        self.scale_actor(&start.id, scale)
                    }
                    _ => self.start_actor(&start, false).await,
                }
            }
            Kind::Provider => {
                if self.registry.actor(&id).is_some() {
                    return Err(other_kind(&id, "an actor"));
                }
                let start = StartProvider { id, artifact, config, values, program };
                self.replace_or_keep(&start).await
            }
        }
    }

    /// Two of one provider would fight over ports and files, so the old one goes first; where the new one does not get ready, it runs
    /// again.
    async fn replace_or_keep(self: &Arc<Self>, start: &StartProvider) -> Result<Outcome, Failure> {
        let before = self.registry.provider(&start.id).map(|(_, before)| before);
        let failure = match self.start_provider(start, false).await {
            Ok(outcome) => return Ok(outcome),
            Err(failure) => failure,
        };
        if let Some(before) = before.filter(|before| before != start)
            && let Err(error) = self.start_provider(&before, false).await
        {
            warn!(provider = %start.id, %error, "what ran before does not run again");
        }
        Err(failure)
    }

    /// Stops what the account runs under this id; another account's stays.
    async fn stop_declared(&self, account: &AccountKey, id: &EntityId) -> Result<Outcome, Failure> {
        let runs = self.registry.look(|view| {
            let actor = view.actors.get(id).map(|it| (Kind::Actor, identity_of_actor(&it.claims)));
            actor.or_else(|| {
                let provider = view.providers.get(id);
                provider.map(|it| (Kind::Provider, identity_of_provider(&it.claims)))
            })
        });
        match runs {
            // What could not be started with this host is not to be started with it the next time either.
            None if self.registry.owner(id).as_ref() == Some(account) => {
                self.stop_actor(id).await?;
                self.stop_provider(id).await
            }
            None => Ok(done(true, format!("nothing runs as {id}"))),
            Some((_, identity)) if identity.account != *account => {
                let text = format!("{id} is account {}'s", identity.account);
                Err(Failure::new(FailureKind::Denied, text))
            }
            Some((Kind::Actor, _)) => self.stop_actor(id).await,
            Some((Kind::Provider, _)) => self.stop_provider(id).await,
        }
    }

    /// Which of the links that deployments declare do not hold here, and why.
    pub(super) fn failed_links(&self) -> Vec<FailedLink> {
        let links: Vec<(RecordKey, Link)> = self.registry.look(|view| {
            declared::links(view.records).map(|it| (it.key, it.link.clone())).collect()
        });
        let failed =
            links.into_iter().filter_map(|(key, link)| match self.link_state(&key, &link) {
                LinkState::Denied { reason } | LinkState::Failed { reason } => {
                    let RecordKey::Link { account, .. } = key else { return None };
                    Some(FailedLink { account, link: link.key(), reason })
                }
                LinkState::Active { .. } | LinkState::Waiting { .. } => None,
            });
        failed.collect()
    }
}

fn other_kind(id: &EntityId, what: &str) -> Failure {
    warn!(%id, what, "a deployment declares another kind than what runs");
    Failure::new(FailureKind::Conflict, format!("{id} runs {what}: it has to be stopped first"))
}
