//! Real lattices for tests: the `wattle` binary, real hosts, providers and servers, in a temporary folder, all stopped on drop.
//!
//! ```no_run
//! # async fn story() {
//! use wattle_testing::{Guest, Lattice};
//! let lattice = Lattice::start().await;
//! let hello = lattice.serve(Guest::Hello, "hello").await;
//! assert_eq!(hello.get("/").await.status, 200);
//! # }
//! ```
//!
//! It is for tests only, so what goes wrong here panics with its reason.

mod client;
mod components;
mod given;
mod insider;
mod lattice;
mod load;
mod mosquitto;
mod nats;
mod neighbour;
mod network;
mod postgres;
mod process;
mod programs;
mod proxy;
mod redis;
mod said;
mod signing;
mod site;
mod turn;
mod wait;
mod zpl;

pub use client::{Connection, Response, http};
pub use components::Guest;
pub use given::GivenNats;
pub use insider::{Insider, event};
pub use lattice::Lattice;
pub use load::{Load, Shot, Shots};
pub use mosquitto::Mosquitto;
pub use nats::{Nats, NatsClients};
pub use neighbour::Neighbour;
pub use network::{Cable, Door, Machine, Network, Place};
pub use postgres::Postgres;
pub use process::Process;
pub use programs::program;
pub use proxy::{Line, Proxy};
pub use redis::Redis;
pub use said::Said;
pub use signing::{Chain, Signing, read_chain, read_host};
pub use site::Site;
pub use turn::Turn;
pub use wait::{eventually, free_port};
pub use zpl::{Mood, ZplPrinter};

/// `wasi:http/incoming-handler`.
pub const HTTP: &str = "wasi:http/incoming-handler";
/// The whole key-value contract.
pub const KEY_VALUE: &str = "wasi:keyvalue/store,wasi:keyvalue/atomics,wasi:keyvalue/batch";
