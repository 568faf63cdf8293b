//! The mesh: a connection to NATS, and on it commands, events, beats, signed records, artifacts, and calls between hosts.
//!
//! Nothing that arrives here is believed: sizes and shapes are checked, tokens are handed on as text and verified by whoever
//! acts on them. Everything is spoken on [`wattle_core::Subject`]s and in two JetStream buckets per lattice.

mod apps;
mod artifacts;
mod bucket;
mod connection;
mod control;
mod events;
mod options;
mod permissions;
mod records;
pub mod server;
mod sessions;
mod traffic;

pub use apps::AppError;
pub use artifacts::{ARTIFACT_LEN_MAX, Artifacts, ArtifactsError};
pub use bucket::StoreError;
pub use connection::{ConnectError, Lattice};
pub use control::{CommandError, ControlServer, Refusal};
pub use events::SubscribeError;
pub use options::{Auth, ConnectOptions, Tls};
pub use permissions::Permissions;
pub use records::{RecordChange, Records, RecordsError};
pub use sessions::{Identity, Peer, Refused, SessionSettings, Sessions};
pub use traffic::Traffic;
