//! Telling actors of changes: what every provider of `watcher` does the same way.
//!
//! What is kept of a change is the key alone, and what the actor is told is what the store has under that key when it is told. So a
//! key that changes faster than its actor listens is told of once, with its newest value; changes of one key are never told in the
//! wrong order; and what waits is small, whatever the values are. In exchange an actor does not see each of several quick changes.
//!
//! A provider [notes](Changed::note) the keys that a link [watches](Watch::sees), takes them out again in the order in which they
//! changed ([`Changed::next`]), and [tells](tell) the actor.

mod changed;
mod settings;
mod tell;

pub use changed::{Changed, Key};
pub use settings::{SETTINGS, SettingError, Watch};
pub use tell::{Read, Told, tell};
