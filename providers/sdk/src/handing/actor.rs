//! The way to the actor at the end of one link.

use std::time::Duration;

use bytes::Bytes;
use wattle_core::call::Call;

use crate::{CallError, Host, Operation, OutgoingCall, call_id};

/// Calls one link's actor, on the calling thread's lane.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The way to it.
    pub host: Host,
    /// The link that it is at the end of.
    pub link: u32,
    /// How long it may take with one call.
    pub timeout: Duration,
}

impl Call for Actor {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<Bytes, CallError> {
        let call = OutgoingCall {
            id: call_id(),
            link: self.link,
            operation,
            params: params.into(),
            body: None,
            deadline: self.timeout,
            trace: None,
        };
        Ok(self.host.call(call).await?.result)
    }
}
