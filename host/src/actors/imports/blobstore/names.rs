//! The names of a container's objects, page by page as they are asked for.

use std::collections::VecDeque;

use wasmtime::component::Resource;
use wattle_blobstore::{Caller, Failure};

use super::{Answer, answer, container};
use crate::actors::instance::{Instance, InstanceCaller};

/// The most names that one call gives, however many it is asked for: what an instance holds of a listing is bounded.
const NAMES_MAX: usize = 1_000;

/// A listing under way.
#[allow(unreachable_pub, reason = "the generated bindings name it as public")]
pub struct Names {
    container: String,
    /// Names that the store gave and nobody has taken yet.
    ahead: VecDeque<String>,
    next: Next,
}

enum Next {
    First,
    After(String),
    Nothing,
}

impl Names {
    pub(super) fn new(container: String) -> Self {
        Self { container, ahead: VecDeque::new(), next: Next::First }
    }

    pub(super) fn container(&self) -> &str {
        &self.container
    }

    /// Up to `most` names, and whether they are the last: known even where the page ends just there.
    async fn take(
        &mut self,
        store: &Caller<InstanceCaller>,
        most: u64,
    ) -> Result<(Vec<String>, bool), Failure> {
        let most = usize::try_from(most).map_or(NAMES_MAX, |most| most.min(NAMES_MAX));
        while self.ahead.len() <= most && !matches!(self.next, Next::Nothing) {
            let cursor = match &self.next {
                Next::After(cursor) => Some(cursor.as_str()),
                Next::First | Next::Nothing => None,
            };
            let limit = u32::try_from(NAMES_MAX).unwrap_or(u32::MAX);
            let page = store.list_objects(&self.container, cursor, limit).await?;
            self.ahead.extend(page.names);
            self.next = page.cursor.map_or(Next::Nothing, Next::After);
        }
        let names: Vec<String> = self.ahead.drain(..most.min(self.ahead.len())).collect();
        let last = self.ahead.is_empty() && matches!(self.next, Next::Nothing);
        Ok((names, last))
    }
}

impl Instance {
    async fn take_names(
        &mut self,
        names: &Resource<Names>,
        most: u64,
    ) -> Answer<(Vec<String>, bool)> {
        let store = self.blobs();
        // Taken out while the store is asked, so that the instance is not borrowed meanwhile.
        let held = self.table.get_mut(names)?;
        let mut listing = std::mem::replace(held, Names::new(String::new()));
        let taken = listing.take(&store, most).await;
        *self.table.get_mut(names)? = listing;
        answer(taken)
    }
}

impl container::HostStreamObjectNames for &mut Instance {
    async fn read_stream_object_names(
        &mut self,
        names: Resource<Names>,
        len: u64,
    ) -> Answer<(Vec<String>, bool)> {
        self.take_names(&names, len).await
    }

    /// As many as were asked for, taken and forgotten.
    async fn skip_stream_object_names(
        &mut self,
        names: Resource<Names>,
        num: u64,
    ) -> Answer<(u64, bool)> {
        let mut skipped = 0;
        loop {
            let (taken, last) = match self.take_names(&names, num - skipped).await? {
                Ok(taken) => taken,
                Err(error) => return Ok(Err(error)),
            };
            skipped += taken.len() as u64;
            if last || skipped == num {
                return Ok(Ok((skipped, last)));
            }
        }
    }

    async fn drop(&mut self, names: Resource<Names>) -> wasmtime::Result<()> {
        self.table.delete(names)?;
        Ok(())
    }
}
