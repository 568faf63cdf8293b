//! The blob store contract, `wasi:blobstore@0.2.0-draft`: what a store's caller and a store's provider say to each other.
//!
//! The WIT that actors see is in `wit/`. On the wire a container is its name, since handles live in the caller's host and never
//! leave it; so every function takes `container` first, and the WIT's methods are plain functions here. An object's bytes travel
//! beside the call, as its [body](wattle_wire::Body): that of the reply for `get-data`, that of the request for `write-data`.
//!
//! [`Caller`] is the caller's side; the feature `provider` adds the callee's ([`Store`], [`Scope`], [`Links`]), the feature
//! `conformance` the suite that every provider must pass.

pub mod caller;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "provider")]
mod dispatch;
#[cfg(feature = "provider")]
mod download;
pub mod error;
pub mod limit;
#[cfg(feature = "provider")]
pub mod links;
pub mod name;
pub mod operation;
#[cfg(feature = "provider")]
pub mod scope;
#[cfg(feature = "provider")]
pub mod store;
#[cfg(feature = "provider")]
mod upload;
pub mod wire;

pub use caller::{Caller, Carry, Download, Upload};
pub use error::{Error, Failure};
#[cfg(feature = "provider")]
pub use limit::{Bounds, BoundsError};
#[cfg(feature = "provider")]
pub use links::{Incoming, Links};
#[cfg(feature = "provider")]
pub use scope::{Scope, ScopeError};
#[cfg(feature = "provider")]
pub use store::{Page, Range, Reading, Store, Writing};

/// The interfaces of this contract that are called over a link. (`types` has only resources, which the caller's host keeps.)
pub const INTERFACES: &[&str] = &["wasi:blobstore/blobstore", "wasi:blobstore/container"];

/// The interfaces that a provider's claims list. `types` is among them because links in manifests name it beside the others.
pub const EXPORTS: &[&str] =
    &["wasi:blobstore/blobstore", "wasi:blobstore/container", "wasi:blobstore/types"];

/// A link's constraint: only the containers of these names may be opened, made, deleted and used.
pub const CONTAINERS: &str = "containers";

/// A link's constraint: every object's name must start with one of the values. Listing shows only such objects.
pub const PREFIX: &str = "prefix";

/// A link's constraint: what may be done, [`READ`] or [`WRITE`] or both.
pub const ACCESS: &str = "access";

/// A value of [`ACCESS`]: look at containers and objects, and take objects' bytes.
pub const READ: &str = "read";

/// A value of [`ACCESS`]: make, replace and delete containers and objects.
pub const WRITE: &str = "write";

/// The names of the constraints that this contract knows. A link with any other is refused.
pub const CONSTRAINTS: &[&str] = &[CONTAINERS, PREFIX, ACCESS];
