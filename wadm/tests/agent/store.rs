//! What is written into the lattice's store.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::StreamExt as _;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use wattle_lattice::{Lattice, RecordChange};

/// Watches the store until it is dropped.
pub(crate) struct Store {
    revisions: Arc<Mutex<Revisions>>,
    _reader: JoinSet<()>,
}

/// The revisions that were seen of each key.
pub(crate) type Revisions = BTreeMap<String, BTreeSet<u64>>;

impl Store {
    pub(crate) async fn watch(mesh: &Lattice) -> Self {
        let records = mesh.records().await.expect("the store");
        let mut changes = records.watch().await.expect("the store can be watched");
        let revisions: Arc<Mutex<Revisions>> = Arc::default();
        let known = revisions.clone();
        let mut reader = JoinSet::new();
        reader.spawn(async move {
            while let Some(change) = changes.next().await {
                if let RecordChange::Put { key, revision, .. } = change {
                    known.lock().entry(key).or_default().insert(revision);
                }
            }
        });
        Self { revisions, _reader: reader }
    }

    pub(crate) fn now(&self) -> Revisions {
        self.revisions.lock().clone()
    }
}

/// How often which key was written in between.
pub(crate) fn written(before: &Revisions, after: &Revisions) -> BTreeMap<String, usize> {
    let times = after.iter().map(|(key, revisions)| {
        let known = before.get(key).map_or(0, BTreeSet::len);
        (key.clone(), revisions.len() - known)
    });
    times.filter(|(_, times)| *times > 0).collect()
}
