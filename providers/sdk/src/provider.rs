//! What a provider implements.

use std::{future::Future, sync::Arc, time::Instant};

use bytes::Bytes;
use wattle_core::{
    CallError, CallId, TraceParent,
    call::unknown_function,
    provider::{LinkDetail, LinkGrant, Start},
};
use wattle_wire::{Body, Reply};

use crate::host::Host;

/// A capability's implementation. One value of it serves the whole process, on every lane.
pub trait Provider: Send + Sync + Sized + 'static {
    /// The constraints to which it holds its callers. A link with any other does not hold, and `put_link` is not called for it.
    const CONSTRAINTS: &'static [&'static str] = &[];

    /// Makes ready for links. Called once, first.
    ///
    /// # Errors
    /// The process says the reason to its host and exits.
    fn start(context: Context) -> impl Future<Output = Result<Self, StartError>> + Send;

    /// Takes a link. Called for each link before any call over it, one at a time, and again with the same number when the link
    /// was changed: the new one replaces the old.
    ///
    /// # Errors
    /// The link does not hold, and whoever put it reads the reason. Where the provider is the link's target, `delete_link` is called
    /// then, so that a link that was changed does not go on as it was.
    fn put_link(
        &self,
        link: LinkGrant,
    ) -> impl Future<Output = Result<LinkDetail, LinkError>> + Send;

    /// Lets go of a link, if there is one of this number. Never called at the same time as `put_link`.
    fn delete_link(&self, link: u32) -> impl Future<Output = ()> + Send;

    /// Answers a call over a link at whose target end this provider is. Called on the lane that the call came on, many at once;
    /// it must not block the thread.
    ///
    /// # Cancel safety
    /// The future is dropped when the caller cancels.
    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let error = unknown_function(&call.interface, &call.function);
        async move { Err(error) }
    }

    /// Takes nothing new from outside and finishes what is under way. Called at most once, before the process ends in order.
    fn drain(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// What a provider is started with.
#[derive(Clone, Debug)]
pub struct Context {
    /// Its id, lattice and settings.
    pub start: Start,
    /// The way to its host.
    pub host: Host,
}

/// A call from the host.
#[derive(Debug)]
pub struct IncomingCall {
    /// The call, as logs and errors name it.
    pub id: CallId,
    /// The link that it comes over, which the host has checked.
    pub link: u32,
    /// `namespace:package/interface`.
    pub interface: Box<str>,
    /// The function's WIT name.
    pub function: Box<str>,
    /// Its parameters.
    pub params: Bytes,
    /// Its stream, where it has one.
    pub body: Option<Body>,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// The trace that it belongs to.
    pub trace: Option<TraceParent>,
}

/// Why a provider cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    /// A reason for a person.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Why a link does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LinkError(String);

impl LinkError {
    /// A reason for a person.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
