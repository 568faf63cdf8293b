//! The words of Wattle: what every crate calls things, and how those things look as bytes.
//!
//! Nothing here performs I/O. A type that crosses a process or a machine is defined here once; both ends use it.

pub mod app;
pub mod artifact;
pub mod beat;
pub mod built_in;
pub mod call;
pub mod codec;
pub mod control;
pub mod deployment;
pub mod entity;
pub mod event;
pub mod handle;
pub mod interface;
pub mod inventory;
pub mod key;
pub mod link;
pub mod name;
pub mod provider;
pub mod quantity;
pub mod session;
pub mod subject;
pub mod trace;

pub use artifact::Digest;
pub use built_in::BuiltIn;
pub use call::{Blame, CallError, CallId, ErrorKind};
pub use entity::{EntityId, Identity};
pub use handle::Handle;
pub use interface::{Interface, Operation};
pub use key::{
    AccountKey, ActorKey, CurveKey, HostKey, KeyError, OperatorKey, ProviderKey, UserKey,
};
pub use link::{Constraints, Link, LinkName, Locality};
pub use name::{LatticeName, Name, NameError};
pub use session::SessionId;
pub use subject::Subject;
pub use trace::{Span, SpanId, TraceId, TraceParent};
