//! Who is to be told of a file's changes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tracing::warn;
use wattle_keyvalue::watch::{Changed, Watch};
use wattle_sdk::Burst;

/// A link that watches a file.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) link: u32,
    pub(crate) watch: Watch,
    pub(crate) changed: Changed,
    dropped: Burst,
}

/// The links that watch a file. Each is there as long as somebody holds it.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<Vec<Weak<Watched>>>);

impl Watchers {
    /// From now on the link is told of what it watches.
    pub(crate) fn add(&self, link: u32, watch: Watch) -> Arc<Watched> {
        let (changed, dropped) = (Changed::default(), Burst::default());
        let watched = Arc::new(Watched { link, watch, changed, dropped });
        let mut all = self.lock();
        all.retain(|watched| watched.strong_count() > 0);
        all.push(Arc::downgrade(&watched));
        watched
    }

    /// Notes keys that have changed, each with its bucket.
    pub(crate) fn note(&self, touched: &[(&str, &str)]) {
        for watched in self.lock().iter().filter_map(Weak::upgrade) {
            touched.iter().for_each(|(bucket, key)| watched.note(bucket, key));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Watched>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn note(&self, bucket: &str, key: &str) {
        if bucket == self.watch.bucket && self.watch.sees(key) && !self.changed.note(key) {
            self.dropped.note(|count| {
                let link = self.link;
                warn!(link, count, "changes are not told: the actor takes them too slowly");
            });
        }
    }
}
