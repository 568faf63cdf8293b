//! A host: one process per device that runs actors in itself and providers beside itself, and joins them to a lattice.

mod actors;
mod artifacts;
mod clock;
mod config;
mod host;
mod lanes;
mod logbook;
mod providers;
mod reports;
mod router;
mod state;

pub use config::HostConfig;
pub use host::{Drained, Host, StartError};
pub use logbook::LogBook;
