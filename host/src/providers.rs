//! Providers: processes beside the host, each started, watched, restarted and stopped by a supervisor of its own.

mod image;
mod spec;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::watch;
use wattle_core::{
    CallError, EntityId,
    inventory::ProviderState,
    provider::{LinkDetail, LinkGrant},
};
use wattle_wire::{Body, Reply, Request};

pub(crate) use self::{
    image::Image,
    spec::{ProviderLimits, ProviderSpec, Timings},
};
use crate::{lanes::Lanes, logbook::LogBook};

/// Takes what providers ask of their host: the router.
pub(crate) trait Calls: Send + Sync + 'static {
    /// Carries one call that `provider` makes. Called on the lane that the call came on, for each call; it must not block.
    ///
    /// # Cancel safety
    /// The future is dropped when the provider cancels, and when its process is gone.
    fn call(
        self: &Arc<Self>,
        provider: &Arc<EntityId>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static;
}

/// A handle to a supervised provider. When the last clone is dropped, its process is killed.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    state: watch::Receiver<ProviderState>,
    links: watch::Receiver<LinkOutcomes>,
}

/// What the provider last said to each link that it was told of, by the link's number.
pub(crate) type LinkOutcomes = BTreeMap<u32, Result<LinkDetail, String>>;

/// Why a provider is not ready.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StartFailure {
    /// It says that it cannot start, or it could not be executed.
    #[error("{reason}")]
    Failed { reason: String },
    /// Its process ended before it was ready.
    #[error("it ended before it was ready: {status}")]
    Exited { status: String, stderr: Vec<String> },
    /// It did not get ready in time. Its supervisor goes on.
    #[error("it was not ready in time")]
    TimedOut,
}

impl Provider {
    /// Starts a provider and its supervisor, which restarts it until it is stopped or denied.
    pub(crate) fn start<C: Calls>(
        _spec: ProviderSpec,
        _lanes: Arc<Lanes>,
        _calls: Arc<C>,
        _logbook: Arc<LogBook>,
    ) -> Self {
        unimplemented!()
    }

    /// Waits until it is ready and gives its process; fails as soon as an attempt to start it failed.
    pub(crate) async fn ready(&self, _wait: Duration) -> Result<u32, StartFailure> {
        unimplemented!()
    }

    /// What it is doing, now and from now on.
    pub(crate) fn state(&self) -> watch::Receiver<ProviderState> {
        self.state.clone()
    }

    /// How often it was started again.
    pub(crate) fn restarts(&self) -> u32 {
        unimplemented!()
    }

    /// Why its process ended the last time.
    pub(crate) fn last_exit(&self) -> Option<String> {
        unimplemented!()
    }

    /// What it said to its links, now and from now on: after a restart a link may fail that held before, and one that failed
    /// is tried again every few seconds.
    pub(crate) fn links(&self) -> watch::Receiver<LinkOutcomes> {
        self.links.clone()
    }

    /// Calls it on the calling thread's lane. `head` is an encoded `RequestHead`; the caller watches its deadline.
    ///
    /// # Errors
    /// `Unavailable` at once while it is not ready; `Interrupted` when its process is lost under way.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    pub(crate) async fn call(
        &self,
        _head: Bytes,
        _params: Bytes,
        _body: Option<Body>,
    ) -> Result<Reply, CallError> {
        unimplemented!()
    }

    /// Tells it of a link and waits for what it says, at most 10 s. Whatever it says, the link is put again after each restart
    /// until it is deleted; the same number again replaces it.
    pub(crate) async fn put_link(&self, _grant: LinkGrant) -> Result<LinkDetail, String> {
        unimplemented!()
    }

    /// Tells it that a link no longer holds, and waits until it has let go of it, at most 10 s.
    pub(crate) async fn delete_link(&self, _link: u32) {
        unimplemented!()
    }

    /// Lets it finish what is under way within `grace`, then ends its process; returns when that is reaped.
    pub(crate) async fn stop(&self, _grace: Duration) {
        unimplemented!()
    }

    /// Its claims do not hold any more: kills its process at once, for good.
    pub(crate) fn deny(&self, _reason: impl Into<String>) {
        unimplemented!()
    }
}
