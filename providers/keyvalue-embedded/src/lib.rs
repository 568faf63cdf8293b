//! `wasi:keyvalue` without a server: each store is one file, and what was acknowledged is on the disk.

mod database;
mod file;
mod layout;
mod provider;
mod readers;
mod settings;
mod store;
mod watchers;
mod watching;
mod writer;

pub use file::{File, OpenError};
pub use provider::Embedded;
pub use readers::Readers;
pub use settings::{Settings, SettingsError};
pub use store::EmbeddedStore;
