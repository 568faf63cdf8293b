//! A host: one process per device that runs actors in itself and providers beside itself, and joins them to a lattice.

mod actors;
mod artifacts;
mod builtin;
mod clock;
mod config;
mod control;
mod data_dir;
mod host;
mod lanes;
mod lease;
mod links;
mod logbook;
mod lookout;
mod peers;
mod placement;
mod provider_leases;
mod providers;
mod records;
mod registry;
mod reports;
mod room;
mod router;
mod settings;
mod state;
mod upkeep;

pub use config::HostConfig;
pub use data_dir::{DataDir, DataDirError};
pub use host::{Drained, Host, StartError};
pub use logbook::LogBook;
