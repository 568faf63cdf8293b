//! A provider's links: each a database of its own.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use arc_swap::ArcSwap;
use wattle_core::{CallError, Constraints, ErrorKind};

use crate::{Database, dispatch};

/// Why a link's constraints cannot be held, so that the link must not hold either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "constraint {0:?} cannot be held: what a SQL text reaches is decided by the database; give the link a database user of its own and GRANT it no more than that"
)]
pub struct ConstraintError(String);

/// Fails where a link has constraints. This contract knows none: statements reach tables through views, functions and triggers,
/// which no reading of their text can tell.
pub fn check_constraints(constraints: &Constraints) -> Result<(), ConstraintError> {
    match constraints.keys().next() {
        Some(name) => Err(ConstraintError(name.clone())),
        None => Ok(()),
    }
}

/// The links that hold now, by number. Calls read a snapshot; only a put or a deleted link makes a new one.
#[derive(Debug)]
pub struct Links<D> {
    links: ArcSwap<BTreeMap<u32, Arc<D>>>,
}

impl<D> Default for Links<D> {
    fn default() -> Self {
        Self { links: ArcSwap::default() }
    }
}

impl<D: Database> Links<D> {
    /// Takes a link, in place of any with the same number.
    pub fn put(&self, link: u32, database: D) {
        let database = Arc::new(database);
        self.links.rcu(|links| {
            let mut links = BTreeMap::clone(links);
            links.insert(link, Arc::clone(&database));
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

    /// Runs one call over a link.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the statement; it may have run.
    pub async fn dispatch(
        &self,
        link: u32,
        interface: &str,
        function: &str,
        params: &[u8],
        deadline: Instant,
    ) -> Result<Vec<u8>, CallError> {
        let database = self.links.load().get(&link).cloned();
        let Some(database) = database else {
            return Err(CallError::new(ErrorKind::Denied, "this link does not hold any more"));
        };
        dispatch(&*database, interface, function, params, deadline).await
    }
}
