//! One socket, many calls.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::net::UnixStream;
use wattle_core::CallError;

use crate::{
    handler::{Handler, Reply, Request},
    limits::Limits,
};

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// This side closed it.
    #[error("closed by this side")]
    Here,
    /// The other side closed it.
    #[error("closed by the other side")]
    There,
    /// The other side sent what is not a frame, or not now.
    #[error("the other side broke the protocol: {0}")]
    Protocol(String),
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Socket(std::io::ErrorKind),
}

/// The connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed")]
pub struct ConnectionClosed;

/// Why a ping has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PingError {
    /// None came in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection ended.
    #[error("the connection is closed")]
    Closed,
}

/// A handle to one connection. Clones share it; calls may be made from any thread.
#[derive(Clone, Debug)]
pub struct Connection {
    _skeleton: Arc<()>,
}

impl Connection {
    /// A connection over `socket`, and the future that drives it: to be spawned on the thread that owns the socket, in a
    /// current-thread runtime or a multi-thread one.
    pub fn new<H: Handler>(
        _socket: UnixStream,
        _limits: Limits,
        _handler: Arc<H>,
    ) -> (Self, impl Future<Output = Closed> + Send + 'static) {
        (Self { _skeleton: Arc::new(()) }, async { unimplemented!() })
    }

    /// Asks the other side. Its answer's body may still be coming when this returns.
    ///
    /// # Errors
    /// What the other side answered; `Overloaded` at this side's limits; when the connection is lost, `Unavailable` if the
    /// request was not yet written, else `Interrupted`.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    pub async fn call(&self, _request: Request) -> Result<Reply, CallError> {
        unimplemented!()
    }

    /// Sends a control message.
    pub fn control(&self, _message: Vec<u8>) -> Result<(), ConnectionClosed> {
        unimplemented!()
    }

    /// Asks the other side for a sign of life and says how long that took.
    pub async fn ping(&self, _wait: Duration) -> Result<Duration, PingError> {
        unimplemented!()
    }

    /// Ends the connection, once what is queued is written.
    pub fn close(&self) {
        unimplemented!()
    }

    /// Waits until the connection has ended.
    pub async fn closed(&self) {
        unimplemented!()
    }

    /// Calls of this side that wait for their answer.
    pub fn in_flight(&self) -> usize {
        unimplemented!()
    }
}

const _: fn(Bytes) = |_| ();
