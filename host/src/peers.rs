//! This host among others: what it shows them, and how their calls are answered.

use std::{
    future::Future,
    sync::{Arc, Weak},
};

use bytes::Bytes;
use futures::future::try_join_all;
use tokio::runtime::Handle;
use wattle_claims::{Body, Signed, Verified};
use wattle_core::{CallError, ErrorKind, HostKey};
use wattle_lattice::{Identity, Refused, SessionSettings, Sessions};
use wattle_wire::{Handler, Reply, Request};

use crate::{StartError, control::Control, lanes::Lanes};

/// Takes calls of other hosts from here on, and makes those of this one: on its lanes, each with a connection of its own to NATS.
pub(crate) async fn join(control: &Arc<Control>) -> Result<Sessions<Member>, StartError> {
    let joining = (0..control.lanes.count()).map(|lane| {
        let lattice = control.lattice.clone();
        let joined = control.lanes.handle(lane).spawn(async move { lattice.another().await });
        async move { joined.await.expect("a lane runs until its host stops") }
    });
    let lanes = try_join_all(joining).await?;
    let member = Member::new(control);
    Ok(Sessions::start(&control.lattice, lanes, member, SessionSettings::default()).await?)
}

/// A host as a member of its lattice.
pub(crate) struct Member {
    host: HostKey,
    control: Weak<Control>,
    lanes: Arc<Lanes>,
}

impl Member {
    pub(crate) fn new(control: &Arc<Control>) -> Self {
        Self {
            host: control.host.clone(),
            control: Arc::downgrade(control),
            lanes: control.lanes.clone(),
        }
    }
}

impl Identity for Member {
    type Handler = Peer;

    fn host(&self) -> &HostKey {
        &self.host
    }

    fn sign<B: Body>(&self, subject: String, body: B) -> Option<Signed<B>> {
        let control = self.control.upgrade()?;
        let signed = control.sign_as_host(subject, body);
        signed.inspect_err(|error| tracing::warn!(%error, "no session")).ok()
    }

    fn verify<B: Body>(&self, token: &str) -> Option<Verified<B>> {
        let control = self.control.upgrade()?;
        let verified = Signed::parse(token)
            .and_then(|signed| signed.verify(&control.registry.trust(), control.registry.now()));
        verified.inspect_err(|error| tracing::debug!(%error, "a host's claims")).ok()
    }

    fn handler(&self, peer: &HostKey) -> Arc<Peer> {
        Arc::new(Peer { peer: peer.clone(), control: self.control.clone() })
    }

    fn runtime(&self, lane: usize) -> Handle {
        self.lanes.handle(lane).clone()
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
}

impl Handler for Peer {
    /// On the lane of the session that it came over, as every call: each lane has its sockets to the providers.
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let router = self.control.upgrade().map(|control| control.router.clone());
        let this = self.clone();
        async move {
            let gone = || CallError::new(ErrorKind::Unavailable, "the callee's host stops");
            router.ok_or_else(gone)?.call_from_host(&this.peer, request).await
        }
    }

    fn control(&self, _: Bytes) {}
}
