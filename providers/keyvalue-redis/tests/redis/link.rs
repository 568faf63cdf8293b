//! Links as the host puts them, with the encoding in between.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::task::AbortHandle;
use wattle_core::{CallError, Constraints, Operation, call::Call};
use wattle_keyvalue::{Caller, Links, Scope};
use wattle_keyvalue_redis::{Address, Lanes, Pool, RedisStore};

/// The test's runtime as the only lane.
struct OneLane;

impl Lanes for OneLane {
    fn count(&self) -> usize {
        1
    }

    fn spawn(&self, _lane: usize, task: Pin<Box<dyn Future<Output = ()> + Send>>) -> AbortHandle {
        tokio::spawn(task).abort_handle()
    }
}

/// A link to a store, by number.
pub(crate) struct Link {
    links: Arc<Links<RedisStore>>,
    number: u32,
}

impl Call for Link {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<bytes::Bytes, CallError> {
        let Operation { interface, function } = operation;
        self.links.dispatch(self.number, interface, function, &params).await.map(Into::into)
    }
}

pub(crate) fn pool(url: &str) -> Pool {
    Pool::start(&Address::parse(url).expect("a good URL"), &OneLane)
}

/// Makes callers over links to one Redis, once it is connected or known not to be.
pub(crate) async fn callers(url: &str) -> impl Fn(Constraints) -> Caller<Link> + use<> {
    let pool = Arc::new(pool(url));
    assert_eq!(pool.refusal().await, None);
    let (links, next) = (Arc::new(Links::default()), AtomicU32::new(0));
    move |constraints| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let store = RedisStore::new(Arc::clone(&pool));
        let scope = Scope::new(&constraints).expect("known constraints");
        links.put(number, scope, store);
        Caller::new(Link { links: Arc::clone(&links), number })
    }
}

/// One caller, without constraints.
pub(crate) async fn caller(url: &str) -> Caller<Link> {
    callers(url).await(Constraints::new())
}
