//! Names to addresses, of which only those that the link allows are connected to: what was checked is what is used.

use std::{
    future::Future,
    io,
    net::{SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::{sync::Semaphore, task::spawn_blocking};
use tower_service::Service;
use wattle_http::outgoing::{Refused, Scope};

use crate::near::Near;

/// Lookups of one link at once. The system's resolver blocks a thread for each, however long a name server takes, and goes on when
/// nobody waits any more.
const LOOKUPS_MAX: usize = 16;

/// The system's resolver, held to one link's scope.
#[derive(Clone, Debug)]
pub(crate) struct Resolver {
    scope: Arc<Scope>,
    near: Arc<Near>,
    lookups: Arc<Semaphore>,
}

/// Why a name led nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// All that it leads to is refused; here is the first.
    #[error(transparent)]
    Refused(Refused),
    #[error("{host} is not known: {source}")]
    Unknown { host: String, source: io::Error },
}

impl Resolver {
    pub(crate) fn new(scope: Arc<Scope>, near: Arc<Near>) -> Self {
        Self { scope, near, lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Resolver {
    /// Asks the system, and keeps what may be connected to.
    async fn resolve(self, name: Name) -> Result<vec::IntoIter<SocketAddr>, Error> {
        let host = name.as_str();
        let found = self.look_up(host.to_owned()).await;
        let found = found.map_err(|source| Error::Unknown { host: host.to_owned(), source })?;
        let near = self.near.networks();
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in found {
            match self.scope.check_address(host, address.ip(), &near) {
                Ok(()) => allowed.push(address),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        match refused {
            Some(refused) if allowed.is_empty() => Err(Error::Refused(refused)),
            _ => Ok(allowed.into_iter()),
        }
    }

    async fn look_up(&self, host: String) -> io::Result<vec::IntoIter<SocketAddr>> {
        let place = Arc::clone(&self.lookups).acquire_owned().await.map_err(io::Error::other)?;
        let looking = spawn_blocking(move || {
            let _place = place;
            (host.as_str(), 0).to_socket_addrs()
        });
        looking.await?
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.clone().resolve(name))
    }
}
