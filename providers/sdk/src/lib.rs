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

mod host;
mod provider;

use std::process::ExitCode;

pub use host::{Host, call_id};
pub use provider::{Context, IncomingCall, LinkError, Provider, StartError};
pub use wattle_core::{
    CallError, CallId, ErrorKind, Operation,
    provider::{LinkDetail, LinkGrant, Side, Start},
};
pub use wattle_wire::{Body, BodySender, ChunkSource, Reply, StreamError};

/// Runs a provider until its host is gone: the whole of a provider's `main`.
pub fn main<P: Provider>() -> ExitCode {
    unimplemented!()
}
