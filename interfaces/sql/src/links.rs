//! A provider's links: each a database of its own view, held to its own limits.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use wattle_core::{CallError, ErrorKind};

use crate::{Database, Limits, dispatch};

/// The links that hold now, by number. Calls read a snapshot; only a put or a deleted link makes a new one.
#[derive(Debug)]
pub struct Links<D> {
    links: ArcSwap<BTreeMap<u32, Arc<Linked<D>>>>,
}

#[derive(Debug)]
struct Linked<D> {
    limits: Limits,
    database: D,
}

impl<D> Default for Links<D> {
    fn default() -> Self {
        Self { links: ArcSwap::default() }
    }
}

impl<D: Database> Links<D> {
    /// Takes a link, in place of any with the same number. `database` enforces the link's scope.
    pub fn put(&self, link: u32, limits: Limits, database: D) {
        let linked = Arc::new(Linked { limits, database });
        self.links.rcu(|links| {
            let mut links = BTreeMap::clone(links);
            links.insert(link, Arc::clone(&linked));
            links
        });
    }

    /// Lets go of a link. Calls that are under way keep their database until they end.
    pub fn delete(&self, link: u32) {
        self.links.rcu(|links| {
            let mut links = BTreeMap::clone(links);
            links.remove(&link);
            links
        });
    }

    /// Runs one call over a link, whose caller waits until `deadline`.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call; it may have run.
    pub async fn dispatch(
        &self,
        link: u32,
        interface: &str,
        function: &str,
        params: &[u8],
        deadline: Instant,
    ) -> Result<Vec<u8>, CallError> {
        let linked = self.links.load().get(&link).cloned();
        let Some(linked) = linked else {
            return Err(CallError::new(ErrorKind::Denied, "this link does not hold any more"));
        };
        dispatch(&linked.database, &linked.limits, interface, function, params, deadline).await
    }
}
