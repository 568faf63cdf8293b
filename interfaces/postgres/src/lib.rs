//! The PostgreSQL contract, `wasmcloud:postgres@0.1.1-draft`: what a database's caller and a database's provider say to each
//! other.
//!
//! The WIT that actors see is in `wit/`. The types in [`wire`] are written as the host's generic bridge would write the WIT's: the
//! host has an adapter for actors that call a database, and an actor that stands for one answers over the bridge.
//!
//! [`Caller`] is the caller's side; the feature `provider` adds the callee's ([`Database`], [`dispatch`], [`Links`]), the
//! feature `conformance` the suite that every provider must pass.

pub mod caller;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "provider")]
pub mod database;
#[cfg(feature = "provider")]
pub mod dispatch;
pub mod error;
pub mod float;
pub mod limit;
#[cfg(feature = "provider")]
pub mod links;
mod memory;
pub mod operation;
pub mod value;
pub mod wire;

pub use caller::{Caller, Failure};
#[cfg(feature = "provider")]
pub use database::Database;
#[cfg(feature = "provider")]
pub use dispatch::dispatch;
pub use error::{PreparedStatementExecError, QueryError, StatementPrepareError};
#[cfg(feature = "provider")]
pub use links::{ConstraintError, Links, check_constraints};
pub use value::PgValue;

/// The interfaces of this contract that are called over a link.
pub const INTERFACES: &[&str] = &["wasmcloud:postgres/query", "wasmcloud:postgres/prepared"];
