//! Calls from the host to the provider.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::mpsc;
use tracing::error;
use wattle_core::{CallError, ErrorKind, call::RequestHead, codec};
use wattle_wire::{Handler, Reply, Request, frame::HEAD_LEN_MAX};

use crate::{IncomingCall, Provider, handles::made::kept_if_answered};

/// Answers what comes over one lane.
pub(crate) struct Calls<P> {
    /// Empty until the provider has started.
    provider: Arc<OnceLock<Arc<P>>>,
    control: Option<mpsc::Sender<Bytes>>,
}

impl<P> Calls<P> {
    pub(crate) fn new(
        provider: Arc<OnceLock<Arc<P>>>,
        control: Option<mpsc::Sender<Bytes>>,
    ) -> Self {
        Self { provider, control }
    }
}

impl<P: Provider> Handler for Calls<P> {
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let provider = self.provider.get().cloned();
        async move {
            let starting = || CallError::new(ErrorKind::Unavailable, "the provider is starting");
            let provider = provider.ok_or_else(starting)?;
            let call = IncomingCall::parse(request)?;
            // Boxed: else it would be copied at each step from here to where it runs.
            kept_if_answered(async move { Box::pin(provider.call(call)).await }).await
        }
    }

    fn control(&self, message: Bytes) {
        let Some(control) = &self.control else {
            return error!("a control message on another lane than the first is ignored");
        };
        if control.try_send(message).is_err() {
            error!("a control message was dropped: too many at once");
        }
    }
}

impl IncomingCall {
    pub(crate) fn parse(request: Request) -> Result<Self, CallError> {
        let Request { head, params, body } = request;
        let head: RequestHead<'_> = codec::decode(&head, HEAD_LEN_MAX).map_err(|error| {
            CallError::new(ErrorKind::Malformed, format!("the call's head: {error}"))
        })?;
        Ok(Self {
            id: head.id,
            link: head.link,
            interface: head.interface.into(),
            function: head.function.into(),
            params,
            body,
            deadline: Instant::now() + Duration::from_millis(head.deadline_ms.into()),
            trace: head.trace,
        })
    }
}
