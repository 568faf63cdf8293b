//! The provider: links come and go, calls are answered.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{sync::Mutex, task::spawn_blocking, time::timeout};
use tracing::warn;
use wattle_blobstore::{Bounds, Incoming, Links, Scope};
use wattle_sdk::{
    CallError, Context, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider, Reply, Side,
    StartError,
};

use crate::{Settings, root::Root, store::FileStore};

/// How long a root may take to open. Links are put one at a time: a disk that hangs must not hold up all others.
const OPEN_WAIT: Duration = Duration::from_secs(5);

/// `wasi:blobstore` in files.
#[derive(Debug)]
pub struct Files {
    settings: Settings,
    links: Links<FileStore>,
    /// Roots in use, by path. A root closes with the last link and the last call that hold it.
    roots: Mutex<BTreeMap<PathBuf, Weak<Root>>>,
}

impl Provider for Files {
    const CONSTRAINTS: &'static [&'static str] = wattle_blobstore::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        let settings = Settings::new(&context.start.config)
            .map_err(|error| StartError::new(error.to_string()))?;
        Ok(Self { settings, links: Links::default(), roots: Mutex::default() })
    }

    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        if link.side == Side::Source {
            return Err(LinkError::new("a blob store is called, it does not call"));
        }
        let refused = |error: &dyn std::error::Error| LinkError::new(error.to_string());
        let scope = Scope::new(&link.constraints).map_err(|error| refused(&error))?;
        let bounds = Bounds::from_settings(&link.config).map_err(|error| refused(&error))?;
        let path = self.settings.root(&link.config).map_err(|error| refused(&error))?;
        let opened = self.root(&path).await;
        let root =
            opened.map_err(|error| LinkError::new(format!("{}: {error}", path.display())))?;
        self.links.put(link.link, scope, bounds, FileStore::new(root));
        Ok(LinkDetail::default())
    }

    async fn delete_link(&self, link: u32) {
        self.links.delete(link);
    }

    async fn drain(&self) {
        self.links.drain().await;
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let files = Arc::clone(self);
        async move {
            let IncomingCall { link, interface, function, params, body, deadline, .. } = call;
            let (interface, function, params) = (&*interface, &*function, &*params);
            files
                .links
                .dispatch(Incoming { link, interface, function, params, body, deadline })
                .await
        }
    }
}

impl Files {
    /// The root at a path, opened where no link has it. What dead processes left there is removed meanwhile.
    async fn root(&self, path: &Path) -> io::Result<Arc<Root>> {
        let mut roots = self.roots.lock().await;
        roots.retain(|_, root| root.strong_count() > 0);
        if let Some(root) = roots.get(path).and_then(Weak::upgrade) {
            return Ok(root);
        }
        let opening = path.to_owned();
        let opened = timeout(OPEN_WAIT, spawn_blocking(move || Root::open(&opening))).await;
        let root = Arc::new(opened.map_err(|_| io::ErrorKind::TimedOut)???);
        roots.insert(path.to_owned(), Arc::downgrade(&root));
        let swept = Arc::clone(&root);
        spawn_blocking(move || {
            if let Err(errno) = swept.staging.sweep() {
                warn!(%errno, "what an earlier process left could not be removed");
            }
        });
        Ok(root)
    }
}
