//! `wattle:control`: how actors watch and, as far as their links let them, command the lattice.
//!
//! Every host answers it itself, under the id `lattice-control`. These are its words, as both ends write them.

mod error;
mod operation;
pub mod wire;

pub use self::{
    error::Error,
    operation::{
        ACTORS, HERE, HOSTS, LINKS, ON_EVENT, PROVIDERS, SCALE_ACTOR, START_ACTOR, STOP_ACTOR,
        STOP_PROVIDER,
    },
};

/// What is there.
pub const STATE: &str = "wattle:control/state";
/// What may be changed.
pub const COMMANDS: &str = "wattle:control/commands";
/// What an actor is told of.
pub const WATCHER: &str = "wattle:control/watcher";

/// The most of a list that comes at once.
pub const PAGE_MAX: usize = 100;
