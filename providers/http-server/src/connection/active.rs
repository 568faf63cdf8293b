//! What the requests of one connection share, and which of them are under way.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use arc_swap::Guard;
use wattle_sdk::Host;

use crate::{
    listener::{Open, Site},
    routes::Routes,
    settings::ServerSettings,
};

/// One connection, as its requests see it.
pub(crate) struct Connection {
    site: Arc<Site>,
    scheme: &'static str,
    /// Requests whose response is not yet written to its end.
    active: AtomicU32,
    /// Requests that ever came, wrapping.
    begun: AtomicU32,
    _open: Open,
}

impl Connection {
    pub(super) fn new(site: Arc<Site>, scheme: &'static str, open: Open) -> Arc<Self> {
        let (active, begun) = (AtomicU32::new(0), AtomicU32::new(0));
        Arc::new(Self { site, scheme, active, begun, _open: open })
    }

    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// Requests under way, and requests that ever came.
    pub(super) fn activity(&self) -> (u32, u32) {
        (self.active.load(Ordering::Relaxed), self.begun.load(Ordering::Relaxed))
    }
}

/// A request under way: held by its future, then by its response's body.
pub(crate) struct Active(Arc<Connection>);

impl Active {
    pub(super) fn begin(connection: &Arc<Connection>) -> Self {
        connection.active.fetch_add(1, Ordering::Relaxed);
        connection.begun.fetch_add(1, Ordering::Relaxed);
        Self(connection.clone())
    }

    pub(crate) fn host(&self) -> &Host {
        self.0.site.host()
    }

    pub(crate) fn settings(&self) -> &ServerSettings {
        self.0.site.settings()
    }

    pub(crate) fn routes(&self) -> Guard<Arc<Routes>> {
        self.0.site.routes()
    }

    /// `http` or `https`.
    pub(crate) fn scheme(&self) -> &'static str {
        self.0.scheme
    }

    /// Where the connection came in, for requests that do not say whom they want.
    pub(crate) fn authority(&self) -> &str {
        self.0.site.authority()
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}
