//! `wasmcloud:messaging` over Redis: pub/sub for messages as they come, streams for what must not get lost.
//!
//! A link with this provider at its target end sends: `broker`. A link with it at its source end hands messages to an actor:
//! `plain` for channels, `kept` for streams. Commands go over one connection per login (`server`); a link that listens has a
//! connection of its own, as Redis serves no commands on one that does.

mod address;
mod broker;
mod connection;
mod entry;
mod inbox;
mod kept;
mod plain;
mod provider;
mod server;
mod settings;

pub use provider::Redis;
