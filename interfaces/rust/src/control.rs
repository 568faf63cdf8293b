//! The lattice: what is there ([`hosts`], [`actors`], [`providers`], [`links`]), what a link lets the actor change ([`scale_actor`] …),
//! and what it is [told of](crate::events!) — `wattle:control`, which every host answers as `lattice-control`.
//!
//! A host is named by its key; `None` is the one on which the actor runs.

use crate::bindings::control::{commands, state, types};
pub use commands::{Actor as NewActor, Done};
pub use state::{Actor, LatticeHost as Host, Link, Provider};
pub use types::Error;

#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
pub mod watcher {
    wit_bindgen::generate!({
        inline: "
            package wattle:observing;

            world observing {
                export wattle:control/watcher@0.1.0;
            }
        ",
        path: "../control/wit",
        world: "wattle:observing/observing",
        generate_all,
        pub_export_macro: true,
        default_bindings_module: "wattle::control::watcher",
    });
}

/// Something that happened on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Unique.
    pub id: String,
    /// The key of the host on which it happened.
    pub host: String,
    /// `actor-started`, say.
    pub kind: String,
    /// RFC 3339, UTC.
    pub time: String,
    /// The id of the actor, provider or application that it is about, if it is about one.
    pub about: Option<String>,
    /// All that is known, as JSON.
    pub data: String,
    /// How many events the actor was not told of since the last one from this host.
    pub missed: u64,
}

/// The key of the host on which the actor runs.
pub fn here() -> Result<String, Error> {
    state::here()
}

/// The hosts that are alive. It listens for a second.
pub fn hosts() -> Result<Vec<Host>, Error> {
    state::hosts()
}

/// The actors of a host.
pub fn actors(host: Option<&str>) -> Result<Vec<Actor>, Error> {
    all(|after| state::actors(host, after), |actor| &actor.id)
}

/// The providers of a host.
pub fn providers(host: Option<&str>) -> Result<Vec<Provider>, Error> {
    all(|after| state::providers(host, after), |provider| &provider.id)
}

/// The links that a host knows.
pub fn links(host: Option<&str>) -> Result<Vec<Link>, Error> {
    all(|after| state::links(host, after), |link| &link.key)
}

/// All pages of a list.
fn all<T>(
    page: impl Fn(Option<&str>) -> Result<Vec<T>, Error>,
    key: impl Fn(&T) -> &String,
) -> Result<Vec<T>, Error> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let more = page(all.last().map(|last| key(last).as_str()))?;
        if more.is_empty() {
            return Ok(all);
        }
        all.extend(more);
    }
}

/// Runs an actor whose signed component is in the lattice's store.
pub fn start_actor(host: Option<&str>, actor: &NewActor) -> Result<Done, Error> {
    commands::start_actor(host, actor)
}

/// Stops an actor, letting calls under way finish.
pub fn stop_actor(host: Option<&str>, id: &str) -> Result<Done, Error> {
    commands::stop_actor(host, id)
}

/// Changes how many calls at once an actor takes; 0 is none.
pub fn scale_actor(host: Option<&str>, id: &str, scale: u16) -> Result<Done, Error> {
    commands::scale_actor(host, id, scale)
}

/// Drains and stops a provider.
pub fn stop_provider(host: Option<&str>, id: &str) -> Result<Done, Error> {
    commands::stop_provider(host, id)
}

/// Makes a function the one that is told of events: it takes an [`Event`] and returns a [`Result`](crate::Result). An event is told
/// once, whatever it returns; an error goes to the log.
#[macro_export]
macro_rules! events {
    ($watcher:path) => {
        struct WattleWatcher;

        impl $crate::control::watcher::exports::wattle::control::watcher::Guest for WattleWatcher {
            fn on_event(
                event: $crate::control::watcher::exports::wattle::control::watcher::Event,
            ) -> Result<(), String> {
                let event = $crate::control::Event {
                    id: event.id,
                    host: event.host,
                    kind: event.kind,
                    time: event.time,
                    about: event.about,
                    data: event.data,
                    missed: event.missed,
                };
                $watcher(event).map_err(|error: $crate::Error| error.to_string())
            }
        }

        $crate::control::watcher::export!(WattleWatcher with_types_in $crate::control::watcher);
    };
}
