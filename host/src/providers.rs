//! Providers: processes beside the host, each started, watched, restarted and stopped by a supervisor of its own.

mod ending;
mod image;
mod leases;
mod life;
mod links;
mod log;
mod mailbox;
mod process;
mod pulse;
mod restarts;
mod seat;
mod spec;
mod supervisor;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use wattle_core::{
    CallError, EntityId,
    inventory::ProviderState,
    provider::{LinkDetail, LinkGrant},
};
use wattle_wire::{Body, Reply, Request};

pub(crate) use self::{
    image::Image,
    leases::{Note, Voice, Want},
    spec::{ProviderLimits, ProviderSpec, Timings},
};
use self::{
    links::{LinkOrder, Links},
    restarts::Restarts,
    seat::Seat,
    supervisor::{RELINK_MAX, Supervisor, Wanted},
};
use crate::{lanes::Lanes, logbook::LogBook};

/// Changes of links that wait for one supervisor; who comes then, waits.
const ORDERS_MAX: usize = 64;

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
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    seat: Arc<Seat>,
    wanted: watch::Sender<Wanted>,
    orders: mpsc::Sender<LinkOrder>,
    links: watch::Receiver<LinkOutcomes>,
    link_max: Duration,
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
    /// Starts a provider and its supervisor, which restarts it until it is stopped or denied. The leases that it wants are handed to
    /// whoever keeps them.
    pub(crate) fn start<C: Calls>(
        spec: ProviderSpec,
        lanes: Arc<Lanes>,
        calls: Arc<C>,
        lease_wants: mpsc::Sender<Want>,
        logbook: Arc<LogBook>,
    ) -> Self {
        static NEXT_LANE: AtomicUsize = AtomicUsize::new(0); // supervisors take turns
        let lane = NEXT_LANE.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::new(Seat::new(Arc::new(spec.id.clone())));
        let (wanted, what_is_wanted) = watch::channel(Wanted::Running);
        let (orders, orders_given) = mpsc::channel(ORDERS_MAX);
        let (outcomes, links) = watch::channel(LinkOutcomes::new());
        let Timings { link_max, steady_after, .. } = spec.timings;
        let supervisor = Supervisor {
            spec,
            lanes: lanes.clone(),
            calls,
            lease_wants,
            book: logbook,
            seat: seat.clone(),
            links: Links::new(outcomes, link_max),
            wanted: what_is_wanted,
            orders: orders_given,
            restarts: Restarts::new(steady_after),
        };
        lanes.handle(lane).spawn(supervisor.run());
        Self { inner: Arc::new(Inner { seat, wanted, orders, links, link_max }) }
    }

    /// Waits until it is ready and gives its process; fails when the latest attempt to start it has failed.
    pub(crate) async fn ready(&self, wait: Duration) -> Result<u32, StartFailure> {
        self.inner.seat.ready(wait).await
    }

    /// What it is doing, now and from now on.
    pub(crate) fn state(&self) -> watch::Receiver<ProviderState> {
        self.inner.seat.state()
    }

    /// How often it was started again.
    pub(crate) fn restarts(&self) -> u32 {
        self.inner.seat.restarts()
    }

    /// Why its process ended the last time.
    pub(crate) fn last_exit(&self) -> Option<String> {
        self.inner.seat.last_exit()
    }

    /// What it said to its links, now and from now on: after a restart a link may fail that held before, and one that failed
    /// is tried again every few seconds.
    pub(crate) fn links(&self) -> watch::Receiver<LinkOutcomes> {
        self.inner.links.clone()
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
        head: Bytes,
        params: Bytes,
        body: Option<Body>,
    ) -> Result<Reply, CallError> {
        let connection = self.inner.seat.connection()?;
        connection.call(Request { head, params, body }).await
    }

    /// Tells it of a link and waits for what it says, at most 10 s; if that is good, calls over the link are then carried.
    /// Whatever it says, the link is put again after each restart until it is deleted; the same number again replaces it.
    pub(crate) async fn put_link(&self, grant: LinkGrant) -> Result<LinkDetail, String> {
        let (answer, answered) = oneshot::channel();
        let put = self.order(LinkOrder::Put { grant, answer }, answered).await;
        let detail =
            put.unwrap_or_else(|state| Err(format!("the provider does not answer: {state}")))?;
        let _ended_meanwhile = self.ready(RELINK_MAX * 2).await; // other links may be put first
        Ok(detail)
    }

    /// Tells it that a link no longer holds, and waits until it has let go of it, at most 10 s.
    pub(crate) async fn delete_link(&self, link: u32) {
        let (answer, answered) = oneshot::channel();
        let _gone = self.order(LinkOrder::Delete { link, answer }, answered).await;
    }

    /// Hands an order to the supervisor, which answers it within its limit, unless it is busy with a process that does not end.
    async fn order<T>(
        &self,
        order: LinkOrder,
        answered: oneshot::Receiver<T>,
    ) -> Result<T, ProviderState> {
        let answer = async {
            self.inner.orders.send(order).await.ok()?;
            answered.await.ok()
        };
        let answer = timeout(self.inner.link_max * 2, answer).await;
        answer.ok().flatten().ok_or_else(|| self.state().borrow().clone())
    }

    /// Lets it finish what is under way within `grace`, then ends its process; returns when that is reaped.
    pub(crate) async fn stop(&self, grace: Duration) {
        self.inner.wanted.send_if_modified(|wanted| {
            let runs = *wanted == Wanted::Running;
            if runs {
                *wanted = Wanted::Stopped { grace };
            }
            runs
        });
        self.inner.wanted.closed().await; // the supervisor ends last
    }

    /// Its claims do not hold any more: refuses calls to it at once, and kills its process for good.
    pub(crate) fn deny(&self, reason: impl Into<String>) {
        self.inner.seat.leave(ProviderState::Denied { reason: reason.into() });
        self.inner.wanted.send_replace(Wanted::Denied);
    }
}

#[cfg(test)]
mod tests;
