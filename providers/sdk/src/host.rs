//! The way from a provider to its host.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::task::JoinHandle;
use wattle_core::{CallError, CallId, Operation};
use wattle_wire::{Body, Reply};

/// A handle to the host that this provider hangs on.
#[derive(Clone, Debug)]
pub struct Host {
    _skeleton: Arc<()>,
}

impl Host {
    /// Calls whoever is at the target end of `link`, on the calling thread's own lane.
    ///
    /// # Errors
    /// What the callee or the host answered; `DeadlineExceeded` when no head of an answer came within `deadline`.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    pub async fn call(
        &self,
        _link: u32,
        _operation: Operation,
        _params: Bytes,
        _body: Option<Body>,
        _deadline: Duration,
        _id: CallId,
    ) -> Result<Reply, CallError> {
        unimplemented!()
    }

    /// How many lanes there are: threads, each with a runtime and a socket of its own.
    pub fn lanes(&self) -> usize {
        unimplemented!()
    }

    /// Runs a task on one lane's thread.
    pub fn spawn_on(
        &self,
        _lane: usize,
        _task: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        unimplemented!()
    }
}

/// A new call's id.
pub fn call_id() -> CallId {
    CallId::from_bytes(rand::random())
}
