//! The provider: links come and go, calls are answered.

use std::{fmt, sync::Arc};

use tokio::task::spawn_blocking;
use tracing::warn;
use wattle_blobstore::{Bounds, Incoming, Links, Scope};
use wattle_sdk::{
    CallError, Context, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider, Reply, Side,
    StartError,
};

use crate::{
    Settings,
    account::Account,
    http::Requests,
    io::Io,
    journal::{DATA_DIR, Journal},
    multipart::abort,
    store::{S3Store, path},
};

/// `wasi:blobstore` over S3.
pub struct S3 {
    context: Context,
    io: Io,
    requests: Requests,
    journal: Journal,
    links: Links<S3Store>,
}

/// Without the context: the provider's settings may hold a key.
impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3").field("links", &self.links).finish_non_exhaustive()
    }
}

impl Provider for S3 {
    const CONSTRAINTS: &'static [&'static str] = wattle_blobstore::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        let data_dir = context.start.config.get(DATA_DIR).cloned();
        if data_dir.is_none() {
            warn!(
                "no data-dir: uploads of a process that is killed are left to the bucket's rules"
            );
        }
        let cannot = |error: &dyn std::error::Error| StartError::new(error.to_string());
        let journal = spawn_blocking(move || Journal::open(data_dir.as_deref())).await;
        let journal = journal.map_err(|error| cannot(&error))?.map_err(|error| cannot(&error))?;
        let requests = spawn_blocking(Requests::new).await;
        let requests = requests.map_err(|error| cannot(&error))?.map_err(|error| cannot(&error))?;
        let io = Io::start().map_err(|error| cannot(&error))?;
        Ok(Self { context, io, requests, journal, links: Links::default() })
    }

    /// The link holds although S3 is down: it comes back by itself, and calls say so until then.
    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        if link.side == Side::Source {
            return Err(LinkError::new("a blob store is called, it does not call"));
        }
        let refused = |error: &dyn std::error::Error| LinkError::new(error.to_string());
        let scope = Scope::new(&link.constraints).map_err(|error| refused(&error))?;
        let bounds = Bounds::from_settings(&link.config).map_err(|error| refused(&error))?;
        let settings = Settings::new(&link.config, &self.context.start.config)
            .map_err(|error| refused(&error))?;
        let account = Account::new(self.io.clone(), self.requests.clone(), settings);
        account.objects_in("bucket").map_err(|error| refused(&error))?;
        self.give_up_what_was_left(&account);
        self.links.put(link.link, scope, bounds, S3Store::new(account, self.journal.clone()));
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
        let s3 = Arc::clone(self);
        async move {
            let IncomingCall { link, interface, function, params, body, deadline, .. } = call;
            let (interface, function, params) = (&*interface, &*function, &*params);
            s3.links.dispatch(Incoming { link, interface, function, params, body, deadline }).await
        }
    }
}

impl S3 {
    /// Ends the uploads of a process before this one, with the key that they were begun with.
    fn give_up_what_was_left(&self, account: &Account) {
        let Settings { endpoint, access_key_id, .. } = &*account.settings;
        let left = self.journal.take_left(endpoint, access_key_id);
        let account = account.clone();
        self.io.detach(async move {
            for (noted, entry) in left {
                let (Ok(objects), Ok(path)) = (account.objects_in(&entry.bucket), path(&entry.key))
                else {
                    noted.remove().await;
                    continue;
                };
                abort(objects, path, entry.upload_id, noted).await;
            }
        });
    }
}
