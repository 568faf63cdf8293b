//! The provider: links come and go, calls are answered.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::time::timeout_at;
use wattle_keyvalue::{
    Links, Scope, Store as _,
    watch::{Changed, Watch},
};
use wattle_sdk::{
    Burst, CallError, Context, ErrorKind, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider,
    Reply, Side, StartError,
    handing::{Actor, Handlers, Work},
};

use crate::{
    Address, Pool, RedisStore,
    address::URL,
    notifications::{CONFIGURE, flag},
    watching::Watching,
};

/// A watching link's setting: after Redis was away, every watched key that is there is told of.
const RESYNC: &str = "resync";

/// Which of a link's leases says who tells its actor.
const LEASE: &str = "watch";

/// How long a link that watches may take to listen before it counts as put; it goes on by itself.
const READY_WAIT: Duration = Duration::from_secs(5);

/// `wasi:keyvalue` over Redis.
#[derive(Debug)]
pub struct Redis {
    context: Context,
    links: Links<RedisStore>,
    /// Links that tell an actor of changes.
    handlers: Handlers,
    /// Pools in use, by login. A pool goes with the last link that holds it.
    pools: Mutex<BTreeMap<String, Weak<Pool>>>,
}

impl Provider for Redis {
    const CONSTRAINTS: &'static [&'static str] = wattle_keyvalue::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        let (links, handlers) = (Links::default(), Handlers::default());
        Ok(Self { context, links, handlers, pools: Mutex::default() })
    }

    /// The link holds although Redis is down: it comes back by itself, and calls say so until then. It does not hold where
    /// Redis answers that this login may not.
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
        let redis = Arc::clone(self);
        async move {
            let IncomingCall { link, interface, function, params, deadline, .. } = call;
            let answer = redis.links.dispatch(link, &interface, &function, &params);
            match timeout_at(deadline.into(), answer).await {
                Ok(result) => Ok(Reply { result: result?.into(), body: None }),
                Err(_) => {
                    Err(CallError::new(ErrorKind::DeadlineExceeded, "redis did not answer in time"))
                }
            }
        }
    }

    async fn drain(&self) {
        self.handlers.drain().await;
    }
}

impl Redis {
    async fn put_store(&self, link: LinkGrant) -> Result<(), String> {
        let scope = Scope::new(&link.constraints).map_err(|error| error.to_string())?;
        let (_, pool) = self.connected(&link).await?;
        self.links.put(link.link, scope, RedisStore::new(pool));
        Ok(())
    }

    async fn put_watcher(&self, link: LinkGrant) -> Result<(), String> {
        let watch = Watch::new(&link.config, &link.constraints, &[URL, CONFIGURE, RESYNC]);
        let watch = watch.map_err(|error| error.to_string())?;
        let flag = |name| flag(name, link.config.get(name)).map_err(|error| error.to_string());
        let (configure, resync) = (flag(CONFIGURE)?, flag(RESYNC)?);
        let host = self.context.host.clone();
        let lease = host.lease(link.link, LEASE).map_err(|error| error.to_string())?;
        let (address, pool) = self.connected(&link).await?;
        let store = RedisStore::new(Arc::clone(&pool));
        store.open(&watch.bucket).await.map_err(|failure| format!("bucket: {failure}"))?;
        let actor = Actor { host, link: link.link, timeout: watch.timeout };
        let work = Arc::new(Work::new(actor, watch.max_in_flight));
        let wait = pool.connection().is_up().then_some(READY_WAIT);
        let watching = Arc::new(Watching {
            address,
            pool,
            work: Arc::clone(&work),
            watch,
            lease,
            configure,
            resync,
            changed: Changed::default(),
            dropped: Burst::default(),
            failures: Burst::default(),
        });
        self.handlers.start(work, wait, |end, ready| watching.run(end, ready)).await
    }

    /// The connections that the link's settings name, once it is known whether Redis takes this login.
    async fn connected(&self, link: &LinkGrant) -> Result<(Address, Arc<Pool>), String> {
        let address = Address::from_settings(&link.config, &self.context.start.config)
            .map_err(|error| error.to_string())?;
        let pool = self.pool(&address);
        match pool.refusal().await {
            Some(refusal) => Err(format!("redis at {address}: {refusal}")),
            None => Ok((address, pool)),
        }
    }

    /// The connections for this login, made where no link has them.
    fn pool(&self, address: &Address) -> Arc<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|_, pool| pool.strong_count() > 0);
        if let Some(pool) = pools.get(address.key()).and_then(Weak::upgrade) {
            return pool;
        }
        let pool = Arc::new(Pool::start(address, &self.context.host));
        pools.insert(address.key().to_owned(), Arc::downgrade(&pool));
        pool
    }
}
