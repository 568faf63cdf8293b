//! Commands of actors: within what their link allows, by the functions that carry out those of users.

use std::{collections::BTreeMap, future::Future, num::NonZeroU16};

use wattle_control::{
    COMMANDS, Error, SCALE_ACTOR, START_ACTOR, STOP_ACTOR, STOP_PROVIDER,
    wire::{Done, NewActor, Outcome, ScaleActor, StartActor, Stop},
};
use wattle_core::{
    EntityId,
    control::{self, Failure, FailureKind, Scale},
};

use super::{Desk, Scope};
use crate::router::{Denial, Edge};

impl Desk<'_> {
    pub(super) async fn start_actor(&self, edge: &Edge, asked: StartActor) -> Outcome<Done> {
        let start = new_actor(asked.actor)?;
        self.allowed(edge, START_ACTOR.function, &start.id)?;
        let (control, account) = (self.control.clone(), edge.account.clone());
        // Another account's would take the id, and its config.
        self.run(async move { control.start_actor_of(&account, &start).await }).await
    }

    pub(super) async fn stop_actor(&self, edge: &Edge, asked: Stop) -> Outcome<Done> {
        let id = id(&asked.id)?;
        self.allowed(edge, STOP_ACTOR.function, &id)?;
        let control = self.control.clone();
        self.run(async move { control.stop_actor(&id).await }).await
    }

    pub(super) async fn scale_actor(&self, edge: &Edge, asked: ScaleActor) -> Outcome<Done> {
        let id = id(&asked.id)?;
        self.allowed(edge, SCALE_ACTOR.function, &id)?;
        let control = self.control.clone();
        self.run(async move { control.scale_actor(&id, scale(asked.scale)) }).await
    }

    pub(super) async fn stop_provider(&self, edge: &Edge, asked: Stop) -> Outcome<Done> {
        let id = id(&asked.id)?;
        self.allowed(edge, STOP_PROVIDER.function, &id)?;
        let control = self.control.clone();
        self.run(async move { control.stop_provider(&id).await }).await
    }

    /// Whether the link allows it, and what it is about is the link's account's.
    fn allowed(&self, edge: &Edge, command: &str, id: &EntityId) -> Outcome<()> {
        let link = &edge.link;
        let within = Scope::of(link).and_then(|scope| scope.check(link, command, id));
        let denied = within.and_then(|()| self.check_account(edge, id));
        denied.map_err(|denial| {
            let (source, target) = (link.source.id.as_str(), link.target.id.as_str());
            self.control.reports.call_denied(source, target, COMMANDS, &denial);
            Error::Denied(denial.to_string())
        })
    }

    fn check_account(&self, edge: &Edge, id: &EntityId) -> Result<(), Denial> {
        let owner = self.control.registry.owner(id);
        match owner.filter(|owner| *owner != edge.account) {
            None => Ok(()),
            Some(owner) => Err(Denial::new(format!(
                "{id} is account {owner}'s, and the link is of {}",
                edge.account
            ))),
        }
    }

    /// Does it to its end, whether or not the actor waits for that.
    async fn run(
        &self,
        work: impl Future<Output = Result<control::Outcome, Failure>> + Send + 'static,
    ) -> Outcome<Done> {
        let outcome = self.runtime.spawn(work).await;
        let outcome =
            outcome.map_err(|_| Error::Unavailable("the host stops".to_owned()))?.map_err(error)?;
        match outcome {
            control::Outcome::Done { unchanged, detail } => {
                Ok(Done { unchanged, detail: detail.unwrap_or_default() })
            }
            _ => Ok(Done { unchanged: false, detail: String::new() }),
        }
    }
}

fn new_actor(actor: NewActor) -> Outcome<control::StartActor> {
    let invalid = |error: String| Error::Invalid(error);
    let config =
        actor.config.iter().map(|name| name.parse().map_err(|error| invalid(format!("{error}"))));
    Ok(control::StartActor {
        id: id(&actor.id)?,
        artifact: actor.artifact.parse().map_err(|error| invalid(format!("{error}")))?,
        scale: scale(actor.scale),
        config: config.collect::<Result<_, _>>()?,
        limits: Default::default(),
        values: BTreeMap::new(),
        program: None,
    })
}

fn id(text: &str) -> Outcome<EntityId> {
    text.parse().map_err(|error: wattle_core::NameError| Error::Invalid(error.to_string()))
}

fn scale(calls: u16) -> Scale {
    NonZeroU16::new(calls).map_or(Scale::Stopped, Scale::UpTo)
}

fn error(failure: Failure) -> Error {
    let Failure { kind, message, .. } = failure;
    match kind {
        FailureKind::Denied => Error::Denied(message),
        FailureKind::NotFound => Error::NotFound(message),
        FailureKind::Refused | FailureKind::Claims | FailureKind::Invalid => {
            Error::Invalid(message)
        }
        FailureKind::Conflict | FailureKind::Stale => Error::Conflict(message),
        FailureKind::Capacity | FailureKind::TimedOut => Error::Unavailable(message),
        FailureKind::Crashed | FailureKind::Host => Error::Failed(message),
    }
}
