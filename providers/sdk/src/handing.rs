//! Handing an actor what comes from outside, for providers at a link's source end: so much at once, on all lanes, until the link ends.
//!
//! [`Handlers`] keeps a provider's links of that kind. Each has a task of its own, which listens to whatever brings what is to be
//! handed over, and a [`Work`], which gives it to the actor; between them stands a [`Queue`] where nothing else makes the outside wait.

mod actor;
mod end;
mod handlers;
mod queue;
mod work;

pub use actor::Actor;
pub use end::{End, Phase, Ready};
pub use handlers::{Handler, Handlers};
pub use queue::{Queue, Queued, Share, Waiting, queue};
pub use work::Work;
