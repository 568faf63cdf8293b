//! The key-value contract, `wasi:keyvalue@0.2.0-draft`: what a store's caller and a store's provider say to each other.
//!
//! The WIT that actors see is in `wit/`. On the wire a bucket is its identifier: handles to buckets live in the caller's host
//! and never leave it. So every function takes `bucket` first, and the WIT's methods are plain functions here.
//!
//! `watcher` goes the other way: actors export it, and a store's provider that a link puts at the source end calls it.
//!
//! [`Caller`] is the caller's side; the feature `provider` adds the callee's ([`Store`], [`Scope`], [`dispatch`]) and what tells
//! actors of changes ([`watch`]), the feature `conformance` the suites that every provider must pass.

pub mod caller;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "provider")]
pub mod dispatch;
pub mod error;
pub mod limit;
#[cfg(feature = "provider")]
pub mod links;
pub mod operation;
#[cfg(feature = "provider")]
pub mod scope;
#[cfg(feature = "provider")]
pub mod store;
#[cfg(feature = "provider")]
pub mod watch;
pub mod wire;

pub use caller::Caller;
#[cfg(feature = "provider")]
pub use dispatch::dispatch;
pub use error::{Error, Failure};
#[cfg(feature = "provider")]
pub use links::Links;
#[cfg(feature = "provider")]
pub use scope::{Scope, ScopeError};
#[cfg(feature = "provider")]
pub use store::Store;

/// The interfaces of this contract that actors import and stores serve.
pub const INTERFACES: &[&str] =
    &["wasi:keyvalue/store", "wasi:keyvalue/atomics", "wasi:keyvalue/batch"];

/// The interface that actors export, to be told of changes in a store.
pub const WATCHER: &str = "wasi:keyvalue/watcher";

/// The bucket that a store has without being asked for one. The empty identifier means it, too.
pub const DEFAULT_BUCKET: &str = "default";

/// A link's constraint: every key must start with one of the values. Listing shows only such keys.
pub const KEY_PREFIX: &str = "key-prefix";

/// A link's constraint: only the buckets with these identifiers may be opened and used.
pub const BUCKETS: &str = "buckets";

/// The names of the constraints that this contract knows. A link with any other is refused.
pub const CONSTRAINTS: &[&str] = &[KEY_PREFIX, BUCKETS];
