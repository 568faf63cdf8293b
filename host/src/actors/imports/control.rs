//! `wattle:control`: what an actor asks of the lattice is a call over its link; what keeps one from being answered is an error of the
//! contract's.

use serde::{Serialize, de::DeserializeOwned};
use wasmtime::component::Linker;
use wattle_control::{
    ACTORS, Error, HERE, HOSTS, LINKS, PROVIDERS, SCALE_ACTOR, START_ACTOR, STOP_ACTOR,
    STOP_PROVIDER,
    wire::{self, Outcome, Page},
};
use wattle_core::{CallError, ErrorKind, Operation, call::PARAMS_LEN_MAX, codec};

use super::WholeInstance;
use crate::actors::instance::{Instance, InstanceCaller};

wasmtime::component::bindgen!({
    path: "../interfaces/control/wit",
    world: "imports",
    imports: { default: async | trappable },
});

use wattle::control::{commands, state, types};

pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)
}

/// What a function answers: its value, or the contract's error.
type Answer<T> = wasmtime::Result<Result<T, types::Error>>;

/// The instance's side of its calls, which owns all that they need.
struct Desk(InstanceCaller);

impl Instance {
    fn lattice(&self) -> Desk {
        Desk(self.caller.clone())
    }
}

impl Desk {
    async fn ask<T: DeserializeOwned>(
        &self,
        operation: Operation,
        params: &(impl Serialize + Sync),
    ) -> Outcome<T> {
        let Operation { interface, function } = operation;
        let result = self.0.call(interface, function, codec::encode(params)).await;
        let result = result.map_err(|error| failed(&error))?;
        codec::decode::<Outcome<T>>(&result, PARAMS_LEN_MAX)
            .unwrap_or_else(|error| Err(Error::Failed(error.to_string())))
    }

    async fn list<T: DeserializeOwned, U: From<T>>(
        &self,
        operation: Operation,
        host: Option<String>,
        after: Option<String>,
    ) -> Answer<Vec<U>> {
        let page = self.ask::<Vec<T>>(operation, &Page { host, after }).await;
        answer(page.map(|page| page.into_iter().map(U::from).collect()))
    }

    async fn done(
        &self,
        operation: Operation,
        params: &(impl Serialize + Sync),
    ) -> Answer<commands::Done> {
        let done = self.ask::<wire::Done>(operation, params).await;
        answer(done.map(|wire::Done { unchanged, detail }| commands::Done { unchanged, detail }))
    }
}

fn answer<T>(outcome: Outcome<T>) -> Answer<T> {
    Ok(outcome.map_err(types::Error::from))
}

/// A call that was not answered, in the contract's words.
fn failed(error: &CallError) -> Error {
    let message = error.message.clone();
    match error.kind {
        ErrorKind::Denied => Error::Denied(message),
        ErrorKind::NotFound => Error::NotFound(message),
        ErrorKind::Malformed | ErrorKind::TooLarge => Error::Invalid(message),
        ErrorKind::Unavailable | ErrorKind::Overloaded => Error::Unavailable(message),
        kind => Error::Failed(format!("{message} ({})", kind.as_str())),
    }
}

impl types::Host for &mut Instance {}

impl state::Host for &mut Instance {
    async fn here(&mut self) -> Answer<String> {
        answer(self.lattice().ask(HERE, &()).await)
    }

    async fn hosts(&mut self) -> Answer<Vec<state::LatticeHost>> {
        let hosts = self.lattice().ask::<Vec<wire::Host>>(HOSTS, &()).await;
        answer(hosts.map(|hosts| hosts.into_iter().map(Into::into).collect()))
    }

    async fn actors(
        &mut self,
        host: Option<String>,
        after: Option<String>,
    ) -> Answer<Vec<state::Actor>> {
        self.lattice().list::<wire::Actor, _>(ACTORS, host, after).await
    }

    async fn providers(
        &mut self,
        host: Option<String>,
        after: Option<String>,
    ) -> Answer<Vec<state::Provider>> {
        self.lattice().list::<wire::Provider, _>(PROVIDERS, host, after).await
    }

    async fn links(
        &mut self,
        host: Option<String>,
        after: Option<String>,
    ) -> Answer<Vec<state::Link>> {
        self.lattice().list::<wire::Link, _>(LINKS, host, after).await
    }
}

impl commands::Host for &mut Instance {
    async fn start_actor(
        &mut self,
        host: Option<String>,
        actor: commands::Actor,
    ) -> Answer<commands::Done> {
        let commands::Actor { id, artifact, scale, config } = actor;
        let actor = wire::NewActor { id, artifact, scale, config };
        self.lattice().done(START_ACTOR, &wire::StartActor { host, actor }).await
    }

    async fn stop_actor(&mut self, host: Option<String>, id: String) -> Answer<commands::Done> {
        self.lattice().done(STOP_ACTOR, &wire::Stop { host, id }).await
    }

    async fn scale_actor(
        &mut self,
        host: Option<String>,
        id: String,
        scale: u16,
    ) -> Answer<commands::Done> {
        self.lattice().done(SCALE_ACTOR, &wire::ScaleActor { host, id, scale }).await
    }

    async fn stop_provider(&mut self, host: Option<String>, id: String) -> Answer<commands::Done> {
        self.lattice().done(STOP_PROVIDER, &wire::Stop { host, id }).await
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(text) => Self::Denied(text),
            Error::NotFound(text) => Self::NotFound(text),
            Error::Invalid(text) => Self::Invalid(text),
            Error::Conflict(text) => Self::Conflict(text),
            Error::Unavailable(text) => Self::Unavailable(text),
            Error::Failed(text) => Self::Failed(text),
        }
    }
}

/// Records that differ in nothing but who generated them.
macro_rules! same_fields {
    ($($from:ty => $to:ty { $($field:ident),* })*) => {$(
        impl From<$from> for $to {
            fn from(it: $from) -> Self {
                Self { $($field: it.$field),* }
            }
        }
    )*};
}

same_fields! {
    wire::Host => state::LatticeHost {
        key, name, version, uptime_s, labels, actors, providers, in_flight, draining
    }
    wire::Actor => state::Actor {
        id, name, account, key, artifact, scale, in_flight, queued, calls, failures, denied
    }
    wire::Provider => state::Provider {
        id, name, account, key, artifact, ready, state, restarts, last_exit
    }
    wire::Link => state::Link {
        key, source, target, name, interfaces, active, reason, local, hosts
    }
}
