//! What a provider is written with: implement [`Provider`], and let [`main`] be the whole of `main.rs`.
//!
//! ```no_run
//! use std::process::ExitCode;
//! # use wattle_sdk::*;
//! # struct Redis;
//! # impl Provider for Redis {
//! #     async fn start(_: Context) -> Result<Self, StartError> { Ok(Self) }
//! #     async fn put_link(&self, _: LinkGrant) -> Result<LinkDetail, LinkError> { Ok(LinkDetail::default()) }
//! #     async fn delete_link(&self, _: u32) {}
//! # }
//! fn main() -> ExitCode {
//!     wattle_sdk::main::<Redis>()
//! }
//! ```
//!
//! A provider is a process that its host starts, with one end of a socketpair as its stdin. Over that come further sockets, one
//! for each lane, then calls and control messages; its end is the process's end. What it writes to stderr, as JSON lines through
//! `tracing`, is the host's to keep.
//!
//! What only one host of a lattice may do, a provider does while it holds a [`Lease`].

mod burst;
mod calls;
mod contract;
mod control;
pub mod handing;
mod handles;
mod host;
mod lease;
mod process;
mod provider;
mod stall;
mod telemetry;
#[cfg(feature = "test-host")]
pub mod test_host;

use std::process::ExitCode;

pub use burst::Burst;
pub use contract::{CallContext, decode_params, encode_result, unknown_function};
pub use handles::{HandleLimits, Handles};
pub use host::{Host, OutgoingCall, call_id};
pub use lease::{Lease, LeaseError, Term};
pub use provider::{Context, IncomingCall, LinkError, Provider, StartError};
pub use stall::Stall;
pub use wattle_core::{
    CallError, CallId, ErrorKind, Handle, Operation, TraceParent,
    provider::{LinkDetail, LinkGrant, Side, Start},
};
pub use wattle_wire::{Body, BodySender, ChunkSource, Reply, StreamError};

/// Runs a provider until its host is gone: the whole of a provider's `main`.
///
/// Exits with 0 when the host closed the socket, 1 when the provider could not start or its socket broke, 2 when no host
/// started it.
pub fn main<P: Provider>() -> ExitCode {
    process::run::<P>()
}
