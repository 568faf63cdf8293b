//! Links as the host puts them, with the encoding in between.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use wattle_core::{CallError, Constraints, Operation, call::Call};
use wattle_keyvalue::{Caller, Links, Scope};
use wattle_keyvalue_embedded::{EmbeddedStore, File, OpenError, Readers};

/// A link to a store, by number.
pub(crate) struct Link {
    links: Arc<Links<EmbeddedStore>>,
    number: u32,
}

impl Call for Link {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<bytes::Bytes, CallError> {
        let Operation { interface, function } = operation;
        self.links.dispatch(self.number, interface, function, &params).await.map(Into::into)
    }
}

/// The file of the folder's default store.
pub(crate) fn file(dir: &Path) -> Result<File, OpenError> {
    File::open(&dir.join("default.redb"), Readers::start()?)
}

/// Makes callers over links to one file.
pub(crate) fn callers(file: File) -> impl Fn(Constraints) -> Caller<Link> {
    let (file, links, next) = (Arc::new(file), Arc::new(Links::default()), AtomicU32::new(0));
    move |constraints| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let store = EmbeddedStore::new(Arc::clone(&file));
        let scope = Scope::new(&constraints).expect("known constraints");
        links.put(number, scope, store);
        Caller::new(Link { links: Arc::clone(&links), number })
    }
}

/// One caller, without constraints.
pub(crate) fn caller(file: File) -> Caller<Link> {
    callers(file)(Constraints::new())
}
