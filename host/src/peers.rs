//! This host among others: what it shows them, and how their calls are answered.

use std::{
    future::Future,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use tokio::task::AbortHandle;
use wattle_claims::{Body, Draft, Issuer, Signed, Verified};
use wattle_core::{CallError, ErrorKind, HostKey};
use wattle_lattice::{Identity, Refused};
use wattle_wire::{Handler, Reply, Request};

use crate::{control::Control, lanes::Lanes, router::Router};

/// A host as a member of its lattice.
pub(crate) struct Member {
    host: HostKey,
    control: Weak<Control>,
    calls: Arc<AtomicUsize>,
}

impl Member {
    pub(crate) fn new(control: &Arc<Control>) -> Self {
        Self { host: control.host.clone(), control: Arc::downgrade(control), calls: Arc::default() }
    }
}

impl Identity for Member {
    type Handler = Peer;

    fn host(&self) -> &HostKey {
        &self.host
    }

    fn sign<B: Body>(&self, subject: String, body: B) -> Option<Signed<B>> {
        let control = self.control.upgrade()?;
        let audience = control.audience()?;
        let draft = Draft { subject, audience, not_before: None, expires: None, body };
        let issuer = Issuer { key: &control.key, token: Some(&control.token) };
        let signed = draft.sign(issuer, control.registry.now());
        signed.inspect_err(|error| tracing::warn!(%error, "no session")).ok()
    }

    fn verify<B: Body>(&self, token: &str) -> Option<Verified<B>> {
        let control = self.control.upgrade()?;
        let verified = Signed::parse(token)
            .and_then(|signed| signed.verify(&control.registry.trust(), control.registry.now()));
        verified.inspect_err(|error| tracing::debug!(%error, "a host's claims")).ok()
    }

    fn handler(&self, peer: &HostKey) -> Arc<Peer> {
        Arc::new(Peer {
            peer: peer.clone(),
            control: self.control.clone(),
            calls: Arc::clone(&self.calls),
        })
    }

    fn refused(&self, why: Refused) {
        if let Some(control) = self.control.upgrade() {
            control.reports.refused("message of a host", why.as_str());
        }
    }
}

/// Another host, as one whose calls are answered here.
pub(crate) struct Peer {
    peer: HostKey,
    control: Weak<Control>,
    calls: Arc<AtomicUsize>,
}

impl Handler for Peer {
    /// On a lane, as every call: each has its sockets to the providers.
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let parts = self.control.upgrade().map(|control| {
            let parts: (Arc<Router>, Arc<Lanes>) = (control.router.clone(), control.lanes.clone());
            parts
        });
        let (peer, turn) = (self.peer.clone(), self.calls.fetch_add(1, Relaxed));
        async move {
            let (router, lanes) = parts.ok_or_else(|| unavailable("the callee's host stops"))?;
            let task = lanes
                .handle(turn % lanes.count())
                .spawn(async move { router.call_from_host(&peer, request).await });
            let _ends_with_the_call = AbortOnDrop(task.abort_handle());
            task.await.unwrap_or_else(|_| Err(interrupted()))
        }
    }

    fn control(&self, _: Bytes) {}
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn unavailable(why: &str) -> CallError {
    CallError::new(ErrorKind::Unavailable, why)
}

fn interrupted() -> CallError {
    CallError::new(ErrorKind::Interrupted, "the call's task ended without an answer")
}
