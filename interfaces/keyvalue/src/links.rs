//! A provider's links: each a store of its own, held to its own constraints.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use wattle_core::{CallError, ErrorKind};

use crate::{Scope, Store, dispatch};

/// The links that hold now, by number. Calls read a snapshot; only a put or a deleted link makes a new one.
#[derive(Debug)]
pub struct Links<S> {
    links: ArcSwap<BTreeMap<u32, Arc<Linked<S>>>>,
}

#[derive(Debug)]
struct Linked<S> {
    scope: Scope,
    store: S,
}

impl<S> Default for Links<S> {
    fn default() -> Self {
        Self { links: ArcSwap::default() }
    }
}

impl<S: Store> Links<S> {
    /// Takes a link, in place of any with the same number.
    pub fn put(&self, link: u32, scope: Scope, store: S) {
        let linked = Arc::new(Linked { scope, store });
        self.links.rcu(|links| {
            let mut links = BTreeMap::clone(links);
            links.insert(link, Arc::clone(&linked));
            links
        });
    }

    /// Lets go of a link. Calls that are under way keep their store until they end.
    pub fn delete(&self, link: u32) {
        self.links.rcu(|links| {
            let mut links = BTreeMap::clone(links);
            links.remove(&link);
            links
        });
    }

    /// Runs one call over a link.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    pub async fn dispatch(
        &self,
        link: u32,
        interface: &str,
        function: &str,
        params: &[u8],
    ) -> Result<Vec<u8>, CallError> {
        let linked = self.links.load().get(&link).cloned();
        let Some(linked) = linked else {
            return Err(CallError::new(ErrorKind::Denied, "this link does not hold any more"));
        };
        dispatch(&linked.store, &linked.scope, interface, function, params).await
    }
}
