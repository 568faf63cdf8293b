//! `wasi:http/outgoing-handler` between the host of an actor that asks and the provider that connects.
//!
//! A request is one call of [`SEND`]: its parameters are the request's head with the actor's options, its stream the request's
//! body; the result is the response's head, or why there is none, the reply's stream the response's body.

mod address;
mod failure;
mod message;
mod rule;
mod scope;

pub use failure::{ErrorCode, SendError};
pub use ipnet::IpNet;
pub use message::{
    Options, decode_outcome, decode_send, encode_failure, encode_send, encode_success,
};
pub use rule::RuleError;
pub use scope::{Refused, Scope, ScopeError};
use wattle_core::Operation;

/// The one function of the contract.
pub const SEND: Operation =
    Operation { interface: "wasi:http/outgoing-handler", function: "handle" };

/// A link's constraint: what may be asked for, each value `[METHOD,… ]SCHEME://HOST[:PORT][/PATH]`. A link without it asks for
/// nothing, and does not hold.
pub const ALLOWED_HOSTS: &str = "allowed-hosts";

/// A link's constraint: networks and addresses that may be connected to although they are private, or the provider's machine is in
/// them: `10.1.0.0/16` or `::1`.
pub const ALLOWED_ADDRESSES: &str = "allowed-addresses";

/// The names of the constraints that this contract knows. A link with any other is refused.
pub const CONSTRAINTS: &[&str] = &[ALLOWED_HOSTS, ALLOWED_ADDRESSES];
