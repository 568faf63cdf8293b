//! What a call is made of, and who answers the other side's calls.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use wattle_core::CallError;

use crate::body::Body;

/// A call as it travels.
#[derive(Debug)]
pub struct Request {
    /// An encoded `wattle_core::call::RequestHead`.
    pub head: Bytes,
    /// The function's parameters.
    pub params: Bytes,
    /// A stream beside the parameters, where the function has one.
    pub body: Option<Body>,
}

impl Request {
    /// The same request once more, if its body is not a stream under way.
    pub fn again(&self) -> Option<Self> {
        let body = match &self.body {
            None => None,
            Some(body) => Some(body.again()?),
        };
        Some(Self { head: self.head.clone(), params: self.params.clone(), body })
    }
}

/// A call's answer.
#[derive(Debug)]
pub struct Reply {
    /// The function's result.
    pub result: Bytes,
    /// A stream beside the result, where the function has one.
    pub body: Option<Body>,
}

impl Reply {
    /// An answer without a stream.
    pub fn new(result: impl Into<Bytes>) -> Self {
        Self { result: result.into(), body: None }
    }
}

/// Answers what the other side asks.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. Called once for each, on the thread that drives the connection, which goes on reading only when
    /// the future was polled once: it must not block. A future that is then pending is spawned on that thread.
    ///
    /// # Cancel safety
    /// The future is dropped when the caller cancels, and when the connection ends.
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static;

    /// Takes one control message. Called for each in the order in which they were sent, on the same thread: it must not block.
    fn control(&self, message: Bytes);
}
