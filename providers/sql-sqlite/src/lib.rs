//! `wattle:sql` without a server: each database is one SQLite file, and what was acknowledged is on the disk.
//!
//! A file has one thread that changes it, for all links ([`File`]); each link has threads of its own that read it
//! ([`SqliteDatabase`]), so one link's slow queries are nobody else's, and a statement that computes for long gives way to others
//! (`pace.rs`). No statement runs on a lane's thread.

mod call;
mod connection;
mod failure;
mod file;
mod guard;
mod link;
mod log;
mod migrations;
mod pace;
mod parameters;
mod provider;
mod queue;
mod readers;
mod rows;
mod run;
mod settings;
mod writer;

pub use connection::OpenError;
pub use file::File;
pub use link::SqliteDatabase;
pub use migrations::{MigrateError, migrate};
pub use provider::Sqlite;
pub use settings::{Settings, SettingsError};
