//! The contract's functions, each spelled out once.

use wattle_core::Operation;

use crate::{CONSUMER, HANDLER};

/// Sends a message: [`Publish`](crate::wire::Publish) → nothing.
pub const PUBLISH: Operation = Operation { interface: CONSUMER, function: "publish" };
/// Sends a message and waits for an answer: [`Request`](crate::wire::Request) → [`BrokerMessage`](crate::BrokerMessage).
pub const REQUEST: Operation = Operation { interface: CONSUMER, function: "request" };
/// Hands an actor a message: [`HandleMessage`](crate::wire::HandleMessage) → nothing.
pub const HANDLE_MESSAGE: Operation = Operation { interface: HANDLER, function: "handle-message" };
