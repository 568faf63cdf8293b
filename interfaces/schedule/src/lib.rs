//! `wattle:schedule`: what an actor is told when its time has come.
//!
//! An actor exports `handler`; a provider that a link puts at the source end calls it for each tick. It goes over the generic
//! bridge. [`hand`] calls a handler, and says what became of the tick.

pub mod hand;
pub mod wire;

use wattle_core::Operation;

pub use hand::{Handed, hand};
pub use wire::{OnTime, Outcome, Tick};

/// The interface that actors export and providers call.
pub const HANDLER: &str = "wattle:schedule/handler";

/// Tells an actor that it is time: [`OnTime`] → nothing, or an error in its own words.
pub const ON_TIME: Operation = Operation { interface: HANDLER, function: "on-time" };
