//! The contract's functions, each spelled out once.

use wattle_core::Operation;

use crate::{COMMANDS, STATE, WATCHER};

/// The host on which the actor runs: nothing → its key.
pub const HERE: Operation = Operation { interface: STATE, function: "here" };
/// The hosts that are alive: nothing → [`Host`](crate::wire::Host)s.
pub const HOSTS: Operation = Operation { interface: STATE, function: "hosts" };
/// Actors of a host: [`Page`](crate::wire::Page) → [`Actor`](crate::wire::Actor)s.
pub const ACTORS: Operation = Operation { interface: STATE, function: "actors" };
/// Its providers: [`Page`](crate::wire::Page) → [`Provider`](crate::wire::Provider)s.
pub const PROVIDERS: Operation = Operation { interface: STATE, function: "providers" };
/// Links that it knows: [`Page`](crate::wire::Page) → [`Link`](crate::wire::Link)s.
pub const LINKS: Operation = Operation { interface: STATE, function: "links" };

/// Runs an actor: [`StartActor`](crate::wire::StartActor) → [`Done`](crate::wire::Done).
pub const START_ACTOR: Operation = Operation { interface: COMMANDS, function: "start-actor" };
/// Stops one: [`Stop`](crate::wire::Stop) → [`Done`](crate::wire::Done).
pub const STOP_ACTOR: Operation = Operation { interface: COMMANDS, function: "stop-actor" };
/// Changes how many calls it takes: [`ScaleActor`](crate::wire::ScaleActor) → [`Done`](crate::wire::Done).
pub const SCALE_ACTOR: Operation = Operation { interface: COMMANDS, function: "scale-actor" };
/// Stops a provider: [`Stop`](crate::wire::Stop) → [`Done`](crate::wire::Done).
pub const STOP_PROVIDER: Operation = Operation { interface: COMMANDS, function: "stop-provider" };

/// Tells an actor of an event: [`OnEvent`](crate::wire::OnEvent) → nothing, or what the actor says is wrong.
pub const ON_EVENT: Operation = Operation { interface: WATCHER, function: "on-event" };
