//! The messaging contract, `wasmcloud:messaging@0.2.0`: what actors, brokers' providers and messages have to do with each other.
//!
//! It has two directions. `consumer` is called by actors: publish, or request and wait. `handler` is exported by actors: a
//! provider that a link puts at the source end hands it each message. Whatever a broker can do to a message is in the result's text,
//! behind the name of its [`Kind`].
//!
//! [`Caller`] is the caller's side of `consumer`; the feature `provider` adds the callee's ([`Broker`], [`Scope`], [`Links`]),
//! [`deliver`], which calls a handler, and [`Attempts`], which says what follows from that; the feature `conformance` the suite that
//! every provider must pass.

#[cfg(feature = "provider")]
pub mod attempts;
#[cfg(feature = "provider")]
pub mod broker;
pub mod caller;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "provider")]
pub mod deliver;
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
pub mod settings;
pub mod wire;

#[cfg(feature = "provider")]
pub use attempts::{Attempts, Pace, Verdict, deliver_until};
#[cfg(feature = "provider")]
pub use broker::{Broker, Outgoing};
pub use caller::Caller;
#[cfg(feature = "provider")]
pub use deliver::{Delivery, deliver};
pub use error::{Failure, Kind};
#[cfg(feature = "provider")]
pub use links::Links;
#[cfg(feature = "provider")]
pub use scope::{Scope, ScopeError};
#[cfg(feature = "provider")]
pub use settings::{SettingError, Settings};
pub use wire::BrokerMessage;

/// The interface that actors import and providers serve.
pub const CONSUMER: &str = "wasmcloud:messaging/consumer";

/// The interface that actors export and providers call.
pub const HANDLER: &str = "wasmcloud:messaging/handler";

/// A link's constraint: the only subjects to which its caller may publish and send requests, as patterns.
pub const SUBJECTS: &str = "subjects";

/// The names of the constraints that this contract knows. A link with any other is refused.
pub const CONSTRAINTS: &[&str] = &[SUBJECTS];
