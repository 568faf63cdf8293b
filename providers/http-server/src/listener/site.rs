//! What is served on one address, as its connections see it: snapshots that `server` replaces.

use std::{net::SocketAddr, sync::Arc};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use wattle_sdk::Host;

use crate::{listener::Connections, routes::Routes, settings::ServerSettings, tls::Tls};

/// One address.
pub(crate) struct Site {
    address: SocketAddr,
    /// The address as text, for requests that name no host.
    authority: String,
    server: Server,
    routes: ArcSwap<Routes>,
    tls: ArcSwapOption<Tls>,
    closing: watch::Sender<bool>,
}

/// What all addresses share.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) host: Host,
    pub(crate) settings: Arc<ServerSettings>,
    pub(crate) connections: Arc<Connections>,
}

impl Site {
    pub(crate) fn new(address: SocketAddr, server: Server, tls: Option<Tls>) -> Self {
        Self {
            address,
            authority: address.to_string(),
            server,
            routes: ArcSwap::default(),
            tls: ArcSwapOption::new(tls.map(Arc::new)),
            closing: watch::Sender::new(false),
        }
    }

    /// The address that was bound, its port included.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn host(&self) -> &Host {
        &self.server.host
    }

    pub(crate) fn settings(&self) -> &ServerSettings {
        &self.server.settings
    }

    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.server.connections
    }

    pub(crate) fn routes(&self) -> Guard<Arc<Routes>> {
        self.routes.load()
    }

    pub(crate) fn set_routes(&self, routes: Routes) {
        self.routes.store(Arc::new(routes));
    }

    /// What new connections have to speak; `None` is plain HTTP.
    pub(crate) fn tls(&self) -> Option<TlsAcceptor> {
        self.tls.load().as_ref().map(|tls| tls.acceptor().clone())
    }

    /// Whether this link would serve with what the address serves with.
    pub(crate) fn has_tls(&self, tls: Option<&Tls>) -> bool {
        match (self.tls.load().as_deref(), tls) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => ours.is_same(theirs),
            _ => false,
        }
    }

    pub(crate) fn set_tls(&self, tls: Option<Tls>) {
        self.tls.store(tls.map(Arc::new));
    }

    /// Turns true when the connections have to finish.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }
}
