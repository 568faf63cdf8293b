//! `wasmcloud:messaging` over MQTT 5.
//!
//! A link with this provider at its target end sends: `broker`, over a connection of its own (`server`). A link with it at its source
//! end hands messages to an actor: `told`, over a connection and in a session of its own, which the MQTT broker keeps while the provider
//! is away.
//!
//! MQTT's packets are rumqttc's. Its event loop is not used: it does not say which acknowledgement belongs to which message, loses
//! count of those that a broker refuses, and sends again, minutes later, what its sender has given up.

mod broker;
mod connection;
mod flight;
mod inbox;
mod leaving;
mod login;
mod provider;
mod reason;
mod server;
mod session;
mod settings;
mod told;
mod topic;

pub use provider::Mqtt;
