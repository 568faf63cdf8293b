//! The provider: links come and go, calls are answered.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::Mutex,
    task::spawn_blocking,
    time::{sleep, timeout_at},
};
use wattle_keyvalue::{Links, Scope};
use wattle_sdk::{
    CallError, Context, ErrorKind, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider, Reply,
    Side, StartError,
};

use crate::{EmbeddedStore, File, OpenError, Settings, readers::Readers};

/// The process before this one, whose host was killed a moment ago, may still hold a file while its last write reaches the disk. A
/// lock's end is no event, so it is looked for.
const FREE_WAIT: Duration = Duration::from_secs(1);
const FREE_LOOK: Duration = Duration::from_millis(20);

/// `wasi:keyvalue` in files.
#[derive(Debug)]
pub struct Embedded {
    settings: Settings,
    readers: Readers,
    links: Links<EmbeddedStore>,
    /// Open files. They stay open: a file that closes while its last change is written could not be opened again at once.
    files: Mutex<BTreeMap<PathBuf, Arc<File>>>,
}

impl Provider for Embedded {
    const CONSTRAINTS: &'static [&'static str] = wattle_keyvalue::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        let settings = Settings::new(&context.start.config)
            .map_err(|error| StartError::new(error.to_string()))?;
        let readers = Readers::start().map_err(|error| StartError::new(error.to_string()))?;
        Ok(Self { settings, readers, links: Links::default(), files: Mutex::default() })
    }

    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        if link.side == Side::Source {
            return Err(LinkError::new("a key-value store is called, it does not call"));
        }
        let scope =
            Scope::new(&link.constraints).map_err(|error| LinkError::new(error.to_string()))?;
        let path =
            self.settings.file(&link.config).map_err(|error| LinkError::new(error.to_string()))?;
        let opened = self.file(&path).await;
        let file =
            opened.map_err(|error| LinkError::new(format!("{}: {error}", path.display())))?;
        self.links.put(link.link, scope, EmbeddedStore::new(file));
        Ok(LinkDetail::default())
    }

    async fn delete_link(&self, link: u32) {
        self.links.delete(link);
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let store = Arc::clone(self);
        async move {
            let IncomingCall { link, interface, function, params, deadline, .. } = call;
            let answer = store.links.dispatch(link, &interface, &function, &params);
            match timeout_at(deadline.into(), answer).await {
                Ok(result) => Ok(Reply { result: result?.into(), body: None }),
                Err(_) => Err(CallError::new(
                    ErrorKind::DeadlineExceeded,
                    "the disk did not answer in time",
                )),
            }
        }
    }
}

impl Embedded {
    /// The store's file, opened where it is not. The lock is held meanwhile: two links to one store must not both open it.
    async fn file(&self, path: &PathBuf) -> Result<Arc<File>, OpenError> {
        let mut files = self.files.lock().await;
        if let Some(file) = files.get(path) {
            return Ok(Arc::clone(file));
        }
        let until = Instant::now() + FREE_WAIT;
        let file = loop {
            match self.open(path).await {
                Err(OpenError::InUse) if Instant::now() < until => sleep(FREE_LOOK).await,
                opened => break Arc::new(opened?),
            }
        };
        files.insert(path.clone(), Arc::clone(&file));
        Ok(file)
    }

    async fn open(&self, path: &Path) -> Result<File, OpenError> {
        let (path, readers) = (path.to_owned(), self.readers.clone());
        let opened = spawn_blocking(move || File::open(&path, readers)).await;
        opened.map_err(std::io::Error::from)?
    }
}
