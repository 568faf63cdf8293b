//! The lease: which of an account's wadms acts. It is a record in the lattice's store, renewed each second; the revision with which it
//! was taken is the term that hosts compare, so that one that was deposed without noticing is not obeyed.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{debug, info, warn};
use wattle_claims::{Lease, Signed};
use wattle_core::HostKey;
use wattle_lattice::{Records, RecordsError};

use super::{Identity, SignFailed};

/// Between two renewals, and between two looks at somebody else's.
const RENEW_EVERY: Duration = Duration::from_millis(500);
/// One that has not been renewed for so long is taken over.
const EXPIRES_AFTER: Duration = Duration::from_millis(2_500);
/// Its holder stops acting so long after it began the last renewal that worked: well before anybody may take it over.
const ACTS_FOR: Duration = Duration::from_millis(2_000);
/// How long one request to the store may take.
const STORE_WAIT: Duration = Duration::from_millis(1_500);

/// The lease, where we hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) term: u64,
    /// Until when we may act.
    until: Instant,
}

impl Held {
    pub(super) fn is_valid(&self) -> bool {
        Instant::now() < self.until
    }
}

/// Holds the lease whenever it can, and says so.
pub(super) struct Keeper {
    identity: Identity,
    says: watch::Sender<Option<Held>>,
    /// Our own last word, while we hold it: its term and revision.
    own: Option<(u64, u64)>,
    /// Somebody else's last word, and since when it has been the last.
    other: Option<(u64, Instant)>,
}

/// What is wrong with holding a lease just now.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error(transparent)]
    Store(#[from] RecordsError),
    #[error(transparent)]
    Sign(#[from] SignFailed),
    #[error("the store did not answer in time")]
    TimedOut,
}

impl Keeper {
    pub(super) fn new(identity: Identity) -> (Self, watch::Receiver<Option<Held>>) {
        let (says, said) = watch::channel(None);
        (Self { identity, says, own: None, other: None }, said)
    }

    /// Goes on until it is dropped, or nobody listens.
    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        let mut connected = self.identity.lattice.connected();
        while !self.says.is_closed() && !*stop.borrow() {
            if connected.wait_for(|connected| *connected).await.is_err() {
                return;
            }
            match tokio::time::timeout(STORE_WAIT, self.step()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!(%error, "the lease is out of reach"),
                Err(_) => debug!(error = %KeepError::TimedOut, "the lease is out of reach"),
            }
            if self.says.borrow().is_some_and(|held| !held.is_valid()) {
                warn!("the lease could not be renewed in time: this wadm stops acting");
                self.lose();
            }
            tokio::time::sleep(RENEW_EVERY).await;
        }
        self.release().await;
    }

    async fn step(&mut self) -> Result<(), KeepError> {
        let records = self.identity.lattice.records().await?;
        match self.own {
            Some((term, revision)) => self.renew(&records, term, revision).await,
            None => self.look(&records).await,
        }
    }

    async fn renew(
        &mut self,
        records: &Records,
        term: u64,
        revision: u64,
    ) -> Result<(), KeepError> {
        let began = Instant::now();
        match self.put(records, Some(term), false, revision).await {
            Ok(revision) => {
                self.own = Some((term, revision));
                self.says.send_replace(Some(Held { term, until: began + ACTS_FOR }));
                Ok(())
            }
            Err(KeepError::Store(RecordsError::Conflict { .. })) => {
                warn!(term, "the lease was taken over: this wadm stops acting");
                self.lose();
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Takes the lease if it is free.
    async fn look(&mut self, records: &Records) -> Result<(), KeepError> {
        let key = Lease::key(&self.identity.account);
        let (lease, revision) = match records.get(&key).await? {
            Some((token, revision)) => (self.read(&token), revision),
            None => (None, 0),
        };
        if !self.is_free(lease.as_ref(), revision) {
            return Ok(());
        }
        let began = Instant::now();
        match self.put(records, None, false, revision).await {
            Ok(term) => {
                info!(term, "this wadm holds the lease");
                self.own = Some((term, term));
                self.other = None;
                self.says.send_replace(Some(Held { term, until: began + ACTS_FOR }));
                Ok(())
            }
            // Somebody else was faster.
            Err(KeepError::Store(RecordsError::Conflict { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn is_free(&mut self, lease: Option<&Lease>, revision: u64) -> bool {
        // What we held before we were started again, what was laid down, and what is no lease at all, nobody holds.
        let is_held =
            lease.is_some_and(|lease| !lease.released && lease.holder != self.identity.host);
        if !is_held {
            return true;
        }
        match self.other {
            Some((known, since)) if known == revision => since.elapsed() > EXPIRES_AFTER,
            _ => {
                self.other = Some((revision, Instant::now()));
                false
            }
        }
    }

    fn read(&self, token: &str) -> Option<Lease> {
        let lease = Signed::<Lease>::parse(token)
            .and_then(|lease| lease.verify(&self.identity.trust(), self.identity.now()));
        match lease {
            Ok(lease) if *lease.account() == self.identity.account => Some(lease.body.clone()),
            Ok(_) => None,
            Err(error) => {
                warn!(%error, "what stands in the place of the lease is none");
                None
            }
        }
    }

    async fn put(
        &self,
        records: &Records,
        term: Option<u64>,
        released: bool,
        expected: u64,
    ) -> Result<u64, KeepError> {
        let holder: HostKey = self.identity.host.clone();
        let lease = self.identity.sign(holder.to_string(), Lease { holder, term, released })?;
        let key = Lease::key(&self.identity.account);
        Ok(records.put(&key, &lease, Some(expected)).await?)
    }

    fn lose(&mut self) {
        self.own = None;
        self.other = None;
        self.says.send_replace(None);
    }

    /// Lays it down, so that the next one need not wait until it expires.
    async fn release(&mut self) {
        let Some((term, revision)) = self.own else { return };
        self.lose();
        let laid_down = async {
            let records = self.identity.lattice.records().await?;
            self.put(&records, Some(term), true, revision).await
        };
        if let Ok(Ok(_)) = tokio::time::timeout(STORE_WAIT, laid_down).await {
            info!(term, "this wadm has laid the lease down");
        }
    }
}
