//! A provider's links: each a way to its broker, held to its own constraints.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use wattle_core::{CallError, ErrorKind};

use crate::{Broker, Scope, dispatch::dispatch};

/// The links that hold now, by number. Calls read a snapshot; only a put or a deleted link makes a new one.
#[derive(Debug)]
pub struct Links<B> {
    links: ArcSwap<BTreeMap<u32, Arc<Linked<B>>>>,
}

#[derive(Debug)]
struct Linked<B> {
    scope: Scope,
    broker: B,
}

impl<B> Default for Links<B> {
    fn default() -> Self {
        Self { links: ArcSwap::default() }
    }
}

impl<B: Broker> Links<B> {
    /// Takes a link, in place of any with the same number.
    pub fn put(&self, link: u32, scope: Scope, broker: B) {
        let linked = Arc::new(Linked { scope, broker });
        self.links.rcu(|links| {
            let mut links = BTreeMap::clone(links);
            links.insert(link, Arc::clone(&linked));
            links
        });
    }

    /// Lets go of a link. Calls that are under way keep their broker until they end.
    pub fn delete(&self, link: u32) {
        self.links.rcu(|links| {
            let mut links = BTreeMap::clone(links);
            links.remove(&link);
            links
        });
    }

    /// Runs one call over a link, to be answered by `deadline`.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    pub async fn dispatch(
        &self,
        link: u32,
        interface: &str,
        function: &str,
        params: &Bytes,
        deadline: Instant,
    ) -> Result<Vec<u8>, CallError> {
        let linked = self.links.load().get(&link).cloned();
        let Some(linked) = linked else {
            return Err(CallError::new(ErrorKind::Denied, "this link does not hold any more"));
        };
        dispatch(&linked.broker, &linked.scope, interface, function, params, deadline).await
    }
}
