//! The provider: links come and go, calls are answered.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::time::timeout_at;
use wattle_keyvalue::{Links, Scope};
use wattle_sdk::{
    CallError, Context, ErrorKind, IncomingCall, LinkDetail, LinkError, LinkGrant, Provider, Reply,
    Side, StartError,
};

use crate::{Address, Pool, RedisStore};

/// `wasi:keyvalue` over Redis.
#[derive(Debug)]
pub struct Redis {
    context: Context,
    links: Links<RedisStore>,
    /// Pools in use, by login. A pool goes with the last link that holds it.
    pools: Mutex<BTreeMap<String, Weak<Pool>>>,
}

impl Provider for Redis {
    const CONSTRAINTS: &'static [&'static str] = wattle_keyvalue::CONSTRAINTS;

    async fn start(context: Context) -> Result<Self, StartError> {
        Ok(Self { context, links: Links::default(), pools: Mutex::default() })
    }

    /// The link holds although Redis is down: it comes back by itself, and calls say so until then. It does not hold where
    /// Redis answers that this login may not.
    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        if link.side == Side::Source {
            return Err(LinkError::new("a key-value store is called, it does not call"));
        }
        let scope =
            Scope::new(&link.constraints).map_err(|error| LinkError::new(error.to_string()))?;
        let address = Address::from_settings(&link.config, &self.context.start.config)
            .map_err(|error| LinkError::new(error.to_string()))?;
        let pool = self.pool(&address);
        if let Some(refusal) = pool.refusal().await {
            return Err(LinkError::new(format!("redis at {address}: {refusal}")));
        }
        self.links.put(link.link, scope, RedisStore::new(pool));
        Ok(LinkDetail::default())
    }

    async fn delete_link(&self, link: u32) {
        self.links.delete(link);
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
}

impl Redis {
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
