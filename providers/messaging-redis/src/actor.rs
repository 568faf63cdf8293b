//! The way to the actor at the end of one link.

use std::time::Duration;

use bytes::Bytes;
use wattle_core::call::Call;
use wattle_sdk::{CallError, Host, Operation, OutgoingCall, call_id};

/// Calls one link's actor, on the calling thread's lane.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) host: Host,
    pub(crate) link: u32,
    /// How long the actor may take with one message.
    pub(crate) timeout: Duration,
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
