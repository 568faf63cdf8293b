//! `wasmcloud:postgres` and `wattle:sql` over PostgreSQL: a pool of connections per link, which comes back by itself.

mod database;
mod decode;
mod encode;
mod fault;
mod migrations;
mod pool;
mod portable;
mod prepared;
mod provider;
mod session;
mod settings;
mod statements;
mod tls;

pub use database::PostgresDatabase;
pub use portable::PortableDatabase;
pub use provider::Postgres;
pub use settings::{Settings, SettingsError};
