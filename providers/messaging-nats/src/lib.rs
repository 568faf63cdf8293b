//! `wasmcloud:messaging` over NATS: publish and request, subscriptions with queue groups, and JetStream for what must not get lost.
//!
//! A link with this provider at its target end sends: [`broker`]. A link with it at its source end hands messages to an actor:
//! `plain` for subscriptions, `kept` for a stream's messages. Both stand on `server`, a connection per login that is made again
//! by itself, and that knows when the server has fallen silent.

mod broker;
mod connection;
mod dead_letter;
mod forbidden;
mod kept;
mod login;
mod plain;
mod provider;
mod server;
mod settings;
mod stream;

pub use provider::Nats;
