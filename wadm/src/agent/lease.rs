//! The lease: which of an account's wadms acts. It is a record in the lattice's store, renewed each second; the revision with which it
//! was taken is the term that hosts compare, so that one that was deposed without noticing is not obeyed.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{debug, info, warn};
use wattle_claims::{LEEWAY, Lease, Signed, Timestamp};
use wattle_core::HostKey;
use wattle_lattice::{Records, RecordsError};

use super::{Identity, SignFailed};

/// Between two renewals.
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// One that has not been renewed for so long is taken over.
const EXPIRES_AFTER: Duration = Duration::from_secs(3);
/// Its holder stops acting so long after it began the last renewal that worked: well before anybody may take it over.
const ACTS_FOR: Duration = Duration::from_millis(2_500);
/// How often we look whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long one request to the store may take.
const STORE_WAIT: Duration = Duration::from_millis(1_500);

/// What the store says of the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It has not been read yet.
    Unread,
    /// There is none.
    Absent,
    /// This stands there, since then as far as we know; `stored` by NATS's clock.
    Put { token: String, revision: u64, stored: Timestamp, since: Instant },
}

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
    seen: watch::Receiver<Seen>,
    records: Option<Records>,
    own: Option<Own>,
}

/// Our own last word, while we hold the lease.
#[derive(Clone, Copy, Debug)]
struct Own {
    term: u64,
    revision: u64,
    renewed: Instant,
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
    pub(super) fn new(
        identity: Identity,
        seen: watch::Receiver<Seen>,
    ) -> (Self, watch::Receiver<Option<Held>>) {
        let (says, said) = watch::channel(None);
        (Self { identity, says, seen, records: None, own: None }, said)
    }

    /// Goes on until it is told to stop, or nobody listens.
    pub(super) async fn run(mut self, stop: watch::Receiver<bool>) {
        while !self.says.is_closed() && !*stop.borrow() {
            if *self.identity.lattice.connected().borrow() {
                match tokio::time::timeout(STORE_WAIT, self.step()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => debug!(%error, "the lease is out of reach"),
                    Err(_) => debug!(error = %KeepError::TimedOut, "the lease is out of reach"),
                }
            }
            if self.says.borrow().is_some_and(|held| !held.is_valid()) {
                warn!("the lease could not be renewed in time: this wadm stops acting");
                self.lose();
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        self.release().await;
    }

    async fn step(&mut self) -> Result<(), KeepError> {
        match self.own {
            Some(own) if own.renewed.elapsed() < RENEW_EVERY => Ok(()),
            Some(own) => self.renew(own).await,
            None => self.take_if_free().await,
        }
    }

    async fn renew(&mut self, own: Own) -> Result<(), KeepError> {
        let (term, renewed) = (own.term, Instant::now());
        match self.put(Some(term), false, own.revision).await {
            Ok(revision) => {
                self.own = Some(Own { term, revision, renewed });
                self.says.send_replace(Some(Held { term, until: renewed + ACTS_FOR }));
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

    async fn take_if_free(&mut self) -> Result<(), KeepError> {
        let Some(expected) = self.free_at() else { return Ok(()) };
        let renewed = Instant::now();
        match self.put(None, false, expected).await {
            Ok(term) => {
                info!(term, "this wadm holds the lease");
                self.own = Some(Own { term, revision: term, renewed });
                self.says.send_replace(Some(Held { term, until: renewed + ACTS_FOR }));
                Ok(())
            }
            // Somebody else was faster.
            Err(KeepError::Store(RecordsError::Conflict { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The revision at which the lease may be taken, if it may.
    fn free_at(&self) -> Option<u64> {
        match &*self.seen.borrow() {
            Seen::Unread => None,
            Seen::Absent => Some(0),
            Seen::Put { token, revision, stored, since } => {
                // What we held before we were started again, what was laid down, and what is no lease at all, nobody holds.
                let is_held = self
                    .read(token, *stored)
                    .is_some_and(|lease| !lease.released && lease.holder != self.identity.host);
                (!is_held || since.elapsed() > EXPIRES_AFTER).then_some(*revision)
            }
        }
    }

    /// The lease that stands there, if it is one. Of a wadm whose clock is ahead it is none, for no host follows what that one signs: but it is
    /// ours that may be behind, so NATS's has to say so, too.
    fn read(&self, token: &str, stored: Timestamp) -> Option<Lease> {
        let (trust, now) = (self.identity.trust(), self.identity.now());
        let lease = Signed::<Lease>::parse(token).and_then(|lease| lease.verify_held(&trust, now));
        match lease {
            Ok(lease) if is_ahead(lease.issued_at, [now, stored]) => {
                warn!(holder = %lease.body.holder, "who holds the lease has a clock that is ahead");
                None
            }
            Ok(lease) if *lease.account() == self.identity.account => Some(lease.body.clone()),
            Ok(_) => None,
            Err(error) => {
                warn!(%error, "what stands in the place of the lease is none");
                None
            }
        }
    }

    async fn put(
        &mut self,
        term: Option<u64>,
        released: bool,
        expected: u64,
    ) -> Result<u64, KeepError> {
        let holder: HostKey = self.identity.host.clone();
        let lease = self.identity.sign(holder.to_string(), Lease { holder, term, released })?;
        let key = Lease::key(&self.identity.account);
        let records = match &self.records {
            Some(records) => records,
            None => self.records.insert(self.identity.lattice.records().await?),
        };
        Ok(records.put(&key, &lease, Some(expected)).await?)
    }

    fn lose(&mut self) {
        self.own = None;
        self.says.send_replace(None);
    }

    /// Lays it down, so that the next one need not wait until it expires.
    async fn release(&mut self) {
        let Some(Own { term, revision, .. }) = self.own else { return };
        self.lose();
        let laid_down = tokio::time::timeout(STORE_WAIT, self.put(Some(term), true, revision));
        if let Ok(Ok(_)) = laid_down.await {
            info!(term, "this wadm has laid the lease down");
        }
    }
}

/// Whether something was signed later than it is by all of these clocks.
fn is_ahead(signed: Timestamp, clocks: [Timestamp; 2]) -> bool {
    clocks.iter().all(|clock| signed > clock.plus(LEEWAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_ahead_only_where_two_others_say_so() {
        let at = |seconds: u64| Timestamp::from_secs(1_800_000_000 + seconds);
        assert!(is_ahead(at(300), [at(0), at(10)]));
        assert!(!is_ahead(at(300), [at(0), at(300)]), "ours is behind");
        assert!(!is_ahead(at(300), [at(299), at(0)]), "NATS's is behind");
        assert!(!is_ahead(at(60), [at(0), at(0)]));
    }
}
