//! The provider: links come and go, calls are answered.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Weak},
};

use tokio::{sync::Mutex, task::spawn_blocking, time::timeout_at};
use wattle_sdk::{
    CallError, Context, ErrorKind, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider, Reply,
    Side, StartError,
};
use wattle_sql::{Limits, Links, Scope, migrations::Source};

use crate::{File, OpenError, Settings, SqliteDatabase, migrations::migrate};

/// `wattle:sql` in files.
#[derive(Debug)]
pub struct Sqlite {
    settings: Settings,
    links: Links<SqliteDatabase>,
    /// Open files. One closes with the last link to it.
    files: Mutex<BTreeMap<PathBuf, Weak<File>>>,
}

impl Provider for Sqlite {
    const CONSTRAINTS: &'static [&'static str] = wattle_sql::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        let settings = Settings::new(&context.start.config)
            .map_err(|error| StartError::new(error.to_string()))?;
        Ok(Self { settings, links: Links::default(), files: Mutex::default() })
    }

    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        if link.side == Side::Source {
            return Err(LinkError::new("a database is called, it does not call"));
        }
        let LinkGrant { link, constraints, config, .. } = link;
        let scope = Scope::new(&constraints).map_err(refusal)?;
        let limits = Limits::from_settings(&config).map_err(refusal)?;
        let path = self.settings.file(&config).map_err(refusal)?;
        let migrations = Source::from_settings(&config).map_err(refusal)?;
        let failed = |error: OpenError| LinkError::new(format!("{}: {error}", path.display()));
        let file = self.file(&path).await.map_err(failed)?;
        if let Some(migrations) = migrations {
            let migrated = Arc::clone(&file);
            let done = spawn_blocking(move || migrate(&migrated, &migrations)).await;
            done.map_err(|_panic| LinkError::new("a migration panicked"))?.map_err(refusal)?;
        }
        self.links.put(link, limits, SqliteDatabase::new(file, scope));
        Ok(LinkDetail::default())
    }

    async fn delete_link(&self, link: u32) {
        self.links.delete(link);
        self.files.lock().await.retain(|_, file| file.strong_count() > 0);
    }

    fn call(
        self: &Arc<Self>,
        call: IncomingCall,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let sqlite = Arc::clone(self);
        async move {
            let IncomingCall { link, interface, function, params, deadline, .. } = call;
            let answer = sqlite.links.dispatch(link, &interface, &function, &params, deadline);
            match timeout_at(deadline.into(), answer).await {
                Ok(result) => Ok(Reply { result: result?.into(), body: None }),
                Err(_) => Err(CallError::new(
                    ErrorKind::DeadlineExceeded,
                    "the database did not answer in time",
                )),
            }
        }
    }
}

impl Sqlite {
    /// The database's file, opened where it is not. The lock is held meanwhile: a file has one thread that changes it.
    async fn file(&self, path: &PathBuf) -> Result<Arc<File>, OpenError> {
        let mut files = self.files.lock().await;
        if let Some(file) = files.get(path).and_then(Weak::upgrade) {
            return Ok(file);
        }
        let (opening, len_max) = (path.clone(), self.settings.database_len_max());
        let opened = spawn_blocking(move || File::open(&opening, len_max)).await;
        let file = Arc::new(opened.map_err(std::io::Error::from)??);
        files.insert(path.clone(), Arc::downgrade(&file));
        Ok(file)
    }
}

fn refusal(error: impl std::error::Error) -> LinkError {
    LinkError::new(error.to_string())
}
