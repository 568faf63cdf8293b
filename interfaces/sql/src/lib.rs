//! The SQL contract, `wattle:sql@0.1.0`: what a database's caller and a database's provider say to each other.
//!
//! The WIT that actors see is in `wit/`. It is small enough to be the same on SQLite and PostgreSQL, and has no resources, so it
//! goes over the host's generic bridge. Whatever keeps a statement from its database is an [`Error`] in the answer: an actor can
//! match on it, where a failed call would trap it.
//!
//! [`Caller`] is the caller's side; the feature `provider` adds the callee's ([`Database`], [`Scope`], [`Limits`], [`Links`],
//! [`migrations`]), the feature `conformance` the suite that every provider must pass.

pub mod caller;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "provider")]
pub mod database;
#[cfg(feature = "provider")]
pub mod dispatch;
pub mod error;
#[cfg(feature = "provider")]
pub mod gathering;
pub mod limit;
#[cfg(feature = "provider")]
pub mod links;
#[cfg(feature = "provider")]
pub mod migrations;
pub mod operation;
#[cfg(feature = "provider")]
pub mod scope;
pub mod verb;
pub mod wire;

pub use caller::Caller;
#[cfg(feature = "provider")]
pub use database::{Allowance, Database};
#[cfg(feature = "provider")]
pub use dispatch::dispatch;
pub use error::{Error, Failure, Violation, ViolationKind};
#[cfg(feature = "provider")]
pub use gathering::Gathering;
#[cfg(feature = "provider")]
pub use limit::{LimitError, Limits};
#[cfg(feature = "provider")]
pub use links::Links;
#[cfg(feature = "provider")]
pub use scope::{Access, Scope, ScopeError};
pub use wire::{Row, Rows, Statement, Value};

/// The interfaces of this contract that are called over a link.
pub const INTERFACES: &[&str] = &["wattle:sql/sql"];

/// A link's constraint: only the tables with these names may be read or changed.
pub const TABLES: &str = "tables";

/// A link's constraint: `read` lets its caller read rows, `write` change them, too. Without it the schema may be changed, too.
pub const ACCESS: &str = "access";

/// The names of the constraints that this contract knows. A link with any other is refused.
pub const CONSTRAINTS: &[&str] = &[TABLES, ACCESS];
