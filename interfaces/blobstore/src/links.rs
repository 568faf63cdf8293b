//! A provider's links: each a store of its own, held to its own constraints and bounds.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use tokio::{sync::Semaphore, time::timeout_at};
use wattle_core::{CallError, ErrorKind};
use wattle_wire::{Body, Reply};

use crate::{
    Scope, Store,
    dispatch::Dispatch,
    limit::{Bounds, LINK_BODIES_MAX},
};

/// The links that hold now, by number. Calls read a snapshot; only a put or a deleted link makes a new one.
#[derive(Debug)]
pub struct Links<S> {
    links: ArcSwap<BTreeMap<u32, Arc<Linked<S>>>>,
}

#[derive(Debug)]
struct Linked<S> {
    scope: Scope,
    bounds: Bounds,
    store: S,
    bodies: Arc<Semaphore>,
}

/// One call, as it comes.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// The link's number.
    pub link: u32,
    /// `namespace:package/interface`.
    pub interface: &'a str,
    /// The function's WIT name.
    pub function: &'a str,
    /// Its parameters.
    pub params: &'a [u8],
    /// Its stream, where it has one.
    pub body: Option<Body>,
    /// When the caller stops waiting for the head of the answer.
    pub deadline: Instant,
}

impl<S> Default for Links<S> {
    fn default() -> Self {
        Self { links: ArcSwap::default() }
    }
}

impl<S: Store> Links<S> {
    /// Takes a link, in place of any with the same number.
    pub fn put(&self, link: u32, scope: Scope, bounds: Bounds, store: S) {
        let bodies = Arc::new(Semaphore::new(LINK_BODIES_MAX));
        let linked = Arc::new(Linked { scope, bounds, store, bodies });
        self.links.rcu(|links| {
            let mut links = BTreeMap::clone(links);
            links.insert(link, Arc::clone(&linked));
            links
        });
    }

    /// Lets go of a link. Calls and bodies that are under way keep their store until they end.
    pub fn delete(&self, link: u32) {
        self.links.rcu(|links| {
            let mut links = BTreeMap::clone(links);
            links.remove(&link);
            links
        });
    }

    /// Waits until no object is on its way any more. From now on no further one is let in.
    pub async fn drain(&self) {
        let links: Vec<_> = self.links.load().values().cloned().collect();
        for linked in links {
            let all = u32::try_from(LINK_BODIES_MAX).expect("a small number");
            if let Ok(all) = linked.bodies.acquire_many(all).await {
                all.forget();
            }
        }
    }

    /// Runs one call over a link, up to the head of its answer.
    ///
    /// # Errors
    /// The call's own; `DeadlineExceeded` when the store did not answer in time.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    pub async fn dispatch(&self, call: Incoming<'_>) -> Result<Reply, CallError> {
        let linked = self.links.load().get(&call.link).cloned();
        let Some(linked) = linked else {
            return Err(CallError::new(ErrorKind::Denied, "this link does not hold any more"));
        };
        let Linked { scope, bounds, store, bodies } = &*linked;
        let dispatch = Dispatch { store, scope, bounds: *bounds, bodies };
        let answer = dispatch.run((call.interface, call.function), call.params, call.body);
        timeout_at(call.deadline.into(), answer).await.unwrap_or_else(|_| {
            let text = "the store did not answer in time";
            Err(CallError::new(ErrorKind::DeadlineExceeded, text))
        })
    }
}
