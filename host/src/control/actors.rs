//! Starting, stopping and scaling actors.

use std::{sync::Arc, time::Duration};

use tracing::info;
use wattle_claims::{ActorClaims, Verified, module};
use wattle_core::{
    AccountKey, Digest, EntityId,
    control::{Failure, FailureKind, Outcome, Scale, StartActor},
    entity::Party,
    event::Event,
};

use super::Control;
use crate::{
    actors::{Actor, ActorError, ActorSpec, check_limits},
    builtin,
    registry::{RunningActor, identity_of_actor},
};

/// How long calls of an actor that is stopped or replaced may go on.
const STOP_GRACE: Duration = Duration::from_secs(30);

impl Control {
    /// Runs an actor: fetched, verified, compiled, linked, and reachable when this returns. `again` is a restart of the host,
    /// which wants it even though it is known already.
    pub(crate) async fn start_actor(
        &self,
        start: &StartActor,
        again: bool,
    ) -> Result<Outcome, Failure> {
        if let Some((actor, running)) = self.registry.actor(&start.id).filter(|_| !again)
            && running == *start
            && self.registry.holds(&start.id)
        {
            self.registry.save().map_err(|error| super::disk(&error))?;
            return Ok(done(true, self.takes_calls(&actor, "runs already")));
        }
        if !again && start.program.is_none() {
            check_limits(&start.limits).map_err(|error| unfit(&start.id, &error))?;
        }
        let (claims, component) = self.verified_actor(start).await?;
        let identity = identity_of_actor(&claims);
        let _reserved = self.registry.reserve(&start.id, &identity, start.program.is_some())?;
        let spec = ActorSpec {
            party: Party { id: start.id.clone(), identity },
            artifact: start.artifact,
            name: claims.body.name.clone(),
            imports: claims.body.imports.clone(),
            exports: claims.body.exports.clone(),
            scale: start.scale,
            limits: start.limits,
            config: self.settings(&start.config, &start.values, claims.account())?,
            component,
        };
        let actor = self.runtime.prepare(spec).await.map_err(|error| unfit(&start.id, &error))?;
        self.put_actor(Arc::new(actor), claims, start).await
    }

    /// The same, of an artifact of this account's and no other.
    pub(crate) async fn start_actor_of(
        &self,
        account: &AccountKey,
        start: &StartActor,
    ) -> Result<Outcome, Failure> {
        let (claims, _) = self.verified_actor(start).await?;
        check_signer(&start.artifact, claims.account(), account)?;
        self.start_actor(start, false).await
    }

    async fn verified_actor(
        &self,
        start: &StartActor,
    ) -> Result<(Verified<ActorClaims>, Vec<u8>), Failure> {
        let bytes = self.fetch(&start.artifact).await?;
        let verified = module::verify(&bytes, &self.registry.trust(), self.registry.now());
        let verified = verified.map_err(|error| {
            Failure::new(FailureKind::Claims, format!("{}: {error}", start.artifact))
        })?;
        Ok((verified.claims, verified.content.to_vec()))
    }

    async fn put_actor(
        &self,
        actor: Arc<Actor>,
        claims: Verified<ActorClaims>,
        start: &StartActor,
    ) -> Result<Outcome, Failure> {
        let cached =
            if actor.compiled_from_cache { "from the compiled-code cache" } else { "compiled" };
        let running = RunningActor { actor: actor.clone(), claims, start: start.clone() };
        let before = self.registry.put_actor(running).map_err(|error| super::disk(&error))?;
        self.hold_artifacts();
        self.links.settle().await;
        if let Some(before) = before {
            tokio::spawn(async move { retire(&before, STOP_GRACE).await });
        }
        info!(actor = %start.id, cached, "actor started");
        self.reports.event(Event::ActorStarted { id: start.id.clone() });
        Ok(done(false, self.takes_calls(&actor, &format!("takes calls ({cached})"))))
    }

    pub(crate) async fn stop_actor(&self, id: &EntityId) -> Result<Outcome, Failure> {
        builtin::check_free(id)?;
        let (removed, saved) = self.registry.remove_actor(id);
        let saved = saved.map_err(|error| super::disk(&error));
        let Some(actor) = removed else {
            if self.registry.provider(id).is_some() {
                return Err(other_kind(id, "a provider", "provider"));
            }
            saved?;
            return Ok(done(true, format!("no actor runs as {id}")));
        };
        let cut = drain(&actor, self.grace).await;
        self.links.settle().await;
        self.hold_artifacts();
        info!(actor = %id, cut, "actor stopped");
        self.reports.event(Event::ActorStopped { id: id.clone(), reason: "a command".to_owned() });
        // It is stopped, and would be started with this host.
        saved?;
        let cut =
            if cut == 0 { String::new() } else { format!(", {cut} calls are still under way") };
        Ok(done(false, format!("{id} is stopped{cut}")))
    }

    pub(crate) fn scale_actor(&self, id: &EntityId, scale: Scale) -> Result<Outcome, Failure> {
        builtin::check_free(id)?;
        let Some((actor, start)) = self.registry.actor(id) else {
            let failure =
                Failure::new(FailureKind::NotFound, format!("no actor runs here as {id}"));
            return Err(failure.with_next("wattle get inventory"));
        };
        let unchanged = start.scale == scale;
        actor.gate.set_scale(scale);
        self.registry.set_scale(id, scale).map_err(|error| super::disk(&error))?;
        let text = match scale {
            Scale::Stopped => format!("{id} takes no calls"),
            Scale::UpTo(calls) => format!("{id} takes up to {calls} calls at once"),
        };
        Ok(done(unchanged, text))
    }
}

/// Closes an actor and waits for the calls inside; answers how many were still there at the end.
pub(crate) async fn drain(actor: &Actor, grace: Duration) -> u32 {
    actor.gate.close();
    let _: Result<(), _> = tokio::time::timeout(grace, actor.gate.empty()).await;
    actor.gate.inside()
}

/// Another account's artifact would take the id, and its account's config.
pub(super) fn check_signer(
    artifact: &Digest,
    signer: &AccountKey,
    account: &AccountKey,
) -> Result<(), Failure> {
    match signer == account {
        true => Ok(()),
        false => {
            let text = format!("{artifact} is signed by account {signer}, not {account}");
            Err(Failure::new(FailureKind::Denied, text))
        }
    }
}

/// Closes an actor that another has replaced, once it has no calls. No new ones come; those that came before finish on the old code, also
/// those that wait for their turn there.
async fn retire(actor: &Actor, grace: Duration) {
    let _: Result<(), _> = tokio::time::timeout(grace, actor.gate.empty()).await;
    actor.gate.close();
}

fn unfit(id: &EntityId, error: &ActorError) -> Failure {
    let failure = Failure::new(FailureKind::Invalid, format!("{id}: {error}"));
    match error {
        ActorError::Compile(_) | ActorError::Link(_) => failure.with_next("wattle inspect FILE"),
        ActorError::TooMuch(_) => failure,
    }
}

/// A command about one kind names something of the other.
pub(super) fn other_kind(id: &EntityId, what: &str, kind: &str) -> Failure {
    Failure::new(FailureKind::Conflict, format!("{id} is {what}"))
        .with_next(format!("wattle stop {kind} {id}"))
}

pub(super) fn done(unchanged: bool, detail: String) -> Outcome {
    Outcome::Done { unchanged, detail: Some(detail) }
}
