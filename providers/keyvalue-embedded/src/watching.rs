//! A link that tells an actor of a store's changes.

use std::sync::Arc;

use tokio::time::sleep;
use tracing::warn;
use wattle_keyvalue::{
    Failure, Store as _,
    watch::{Key, Read, Told, Watch, tell},
};
use wattle_sdk::{
    Burst,
    handing::{End, Ready, Work},
};

use crate::{EmbeddedStore, watchers::Watched};

/// What the link's task has.
#[derive(Clone)]
pub(crate) struct Watching {
    watched: Arc<Watched>,
    work: Arc<Work>,
    store: EmbeddedStore,
    failures: Arc<Burst>,
}

/// The bucket that a link watches.
struct Bucket<'a>(&'a EmbeddedStore, &'a Watch);

impl Read for Bucket<'_> {
    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.0.get(&self.1.bucket, key).await
    }
}

impl Watching {
    /// Notes what changes from now on.
    pub(crate) fn new(watch: Watch, work: Arc<Work>, store: EmbeddedStore) -> Self {
        let watched = store.file().watchers.add(work.actor.link, watch);
        Self { watched, work, store, failures: Arc::default() }
    }

    /// Tells the actor until the link ends, or until all was told that changed before a drain.
    pub(crate) async fn run(self, end: End, mut ready: Ready) {
        ready.say(Ok(()));
        let (mut draining, mut deleted, under_way) = (end.clone(), end.clone(), end);
        let ending = async {
            draining.draining().await;
            self.watched.changed.end();
        };
        let telling = async {
            while let Some(key) = self.watched.changed.next().await {
                let place = self.work.place().await;
                let (telling, mut end) = (self.clone(), under_way.clone());
                self.work.give(place, async move {
                    tokio::select! {
                        () = end.deleted() => {}
                        () = telling.tell(key) => {}
                    }
                });
            }
        };
        tokio::select! {
            biased;
            () = deleted.deleted() => {}
            ((), ()) = async { tokio::join!(ending, telling) } => {}
        }
    }

    async fn tell(self, key: Key) {
        let Watched { link, watch, .. } = &*self.watched;
        let reason =
            match tell(&self.work.actor, watch, &key, &Bucket(&self.store, watch), sleep).await {
                Told::Knows | Told::ChangedAgain => return,
                Told::NoValue(reason) => reason,
                Told::GivenUp(error) => format!("{}: {error}", error.kind.as_str()),
            };
        self.failures.note(|count| {
            warn!(link, count, key = key.as_str(), reason, "the actor is not told of changes");
        });
    }
}
