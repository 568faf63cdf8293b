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
use wattle_keyvalue::{Links, Scope, watch::Watch};
use wattle_sdk::{
    CallError, Context, ErrorKind, Host, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider,
    Reply, Side, StartError,
    handing::{Actor, Handlers, Work},
};

use crate::{
    EmbeddedStore, File, OpenError, Settings, readers::Readers, settings::STORE, watching::Watching,
};

/// The process before this one, whose host was killed a moment ago, may still hold a file while its last write reaches the disk. A
/// lock's end is no event, so it is looked for.
const FREE_WAIT: Duration = Duration::from_secs(1);
const FREE_LOOK: Duration = Duration::from_millis(20);

/// `wasi:keyvalue` in files.
#[derive(Debug)]
pub struct Embedded {
    host: Host,
    settings: Settings,
    readers: Readers,
    links: Links<EmbeddedStore>,
    /// Links that tell an actor of changes.
    handlers: Handlers,
    /// Open files. They stay open: a file that closes while its last change is written could not be opened again at once.
    files: Mutex<BTreeMap<PathBuf, Arc<File>>>,
}

impl Provider for Embedded {
    const CONSTRAINTS: &'static [&'static str] = wattle_keyvalue::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        let settings = Settings::new(&context.start.config)
            .map_err(|error| StartError::new(error.to_string()))?;
        let readers = Readers::start().map_err(|error| StartError::new(error.to_string()))?;
        Ok(Self {
            host: context.host,
            settings,
            readers,
            links: Links::default(),
            handlers: Handlers::default(),
            files: Mutex::default(),
        })
    }

    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        let before = self.handlers.take(link.link);
        let put = match link.side {
            Side::Target => self.put_store(link).await,
            Side::Source => self.put_watcher(link).await,
        };
        if let Some(handler) = before {
            handler.delete().await; // after the new one, so that between them no change is missed
        }
        put.map(|()| LinkDetail::default()).map_err(LinkError::new)
    }

    async fn delete_link(&self, link: u32) {
        self.links.delete(link);
        if let Some(handler) = self.handlers.take(link) {
            handler.delete().await;
        }
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

    async fn drain(&self) {
        self.handlers.drain().await;
    }
}

impl Embedded {
    async fn put_store(&self, link: LinkGrant) -> Result<(), String> {
        let scope = Scope::new(&link.constraints).map_err(|error| error.to_string())?;
        let file = self.file_of(&link).await?;
        self.links.put(link.link, scope, EmbeddedStore::new(file));
        Ok(())
    }

    async fn put_watcher(&self, link: LinkGrant) -> Result<(), String> {
        let watch = Watch::new(&link.config, &link.constraints, &[STORE]);
        let watch = watch.map_err(|error| error.to_string())?;
        let store = EmbeddedStore::new(self.file_of(&link).await?);
        let actor = Actor { host: self.host.clone(), link: link.link, timeout: watch.timeout };
        let work = Arc::new(Work::new(actor, watch.max_in_flight));
        let watching = Watching::new(watch, Arc::clone(&work), store);
        self.handlers.start(work, None, |end, ready| watching.run(end, ready)).await
    }

    async fn file_of(&self, link: &LinkGrant) -> Result<Arc<File>, String> {
        let path = self.settings.file(&link.config).map_err(|error| error.to_string())?;
        let opened = self.file(&path).await;
        opened.map_err(|error| format!("{}: {error}", path.display()))
    }

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
