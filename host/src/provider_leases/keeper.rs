//! Keeps one lease for one process of a provider: takes it when it is free, renews it, writes its notes, lays it down.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tracing::{debug, info, warn};
use wattle_claims::{LeaseScope, ProviderLease, SignError, Signed};
use wattle_core::provider::{LeaseNews, NOTE_LEN_MAX, NoteRefusal};
use wattle_lattice::{Records, RecordsError, StoreError};

use super::{board::Seen, known::Known};
use crate::{
    control::Control,
    providers::{Note, Voice, Want},
};

/// Between two renewals: each is a write to the store, which may be a memory card's.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Its holder has lost it so long after it began the last renewal that worked: well before anybody may take it over, which is
/// [`super::known::EXPIRES_AFTER`] it.
const HOLDS_FOR: Duration = Duration::from_secs(5);
/// How often we look whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long one request to the store may take.
const STORE_WAIT: Duration = Duration::from_millis(1_500);
/// Before a request to the store is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// One lease, and who wants it.
pub(super) struct Keeper {
    control: Arc<Control>,
    key: String,
    scope: LeaseScope,
    voice: Voice,
    notes: mpsc::Receiver<Note>,
    seen: watch::Receiver<Seen>,
    records: Option<Records>,
    known: Known,
    own: Option<Own>,
}

/// Our own last word, while we hold it.
#[derive(Clone, Copy, Debug)]
struct Own {
    revision: u64,
    renewed: Instant,
}

impl Own {
    fn until(&self) -> Instant {
        self.renewed + HOLDS_FOR
    }
}

/// Why something was not put.
#[derive(Debug, thiserror::Error)]
enum PutError {
    #[error("another host has taken it")]
    Taken,
    #[error("the store is out of reach: {0}")]
    OutOfReach(String),
    #[error("it cannot be signed: {0}")]
    Sign(#[from] SignError),
}

impl Keeper {
    pub(super) fn new(control: Arc<Control>, want: Want, seen: watch::Receiver<Seen>) -> Self {
        let Want { scope, voice, notes } = want;
        let (key, known) = (scope.key(), Known::default());
        Self { control, key, scope, voice, notes, seen, records: None, known, own: None }
    }

    /// Goes on until nobody wants the lease any more.
    pub(super) async fn run(mut self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                note = self.notes.recv() => match note {
                    Some(note) => self.write(note).await,
                    None => break,
                },
                _ = looks.tick() => self.look().await,
            }
        }
        self.lay_down().await;
        let control = self.control.clone();
        drop(self);
        control.provider_leases.left();
    }

    async fn look(&mut self) {
        match self.own {
            Some(own) if own.until() <= Instant::now() => {
                self.lose("it could not be renewed in time");
            }
            Some(own) if own.renewed.elapsed() < RENEW_EVERY => {}
            Some(_) => self.renew(None).await,
            None => self.take_if_free().await,
        }
    }

    async fn renew(&mut self, write: Option<Note>) {
        let number = write.as_ref().map(|write| write.write);
        let note = write.map_or_else(|| self.known.note().to_vec(), |write| write.note);
        let Some(own) = self.own else { return self.answer(number, Err(NoteRefusal::NotHeld)) };
        let renewed = Instant::now();
        match self.put_surely(note, own.revision, own.until()).await {
            Ok(revision) => {
                let own = Own { revision, renewed };
                self.own = Some(own);
                self.answer(number, Ok(()));
                self.voice.say(LeaseNews::Renewed { for_ms: left_ms(own.until()) });
            }
            Err(error) => {
                self.lose(&error.to_string());
                self.answer(number, Err(NoteRefusal::NotHeld));
            }
        }
    }

    async fn write(&mut self, note: Note) {
        if note.note.len() > NOTE_LEN_MAX {
            return self.answer(Some(note.write), Err(NoteRefusal::TooLong));
        }
        if self.own.is_some_and(|own| own.until() <= Instant::now()) {
            self.lose("it could not be renewed in time");
        }
        self.renew(Some(note)).await;
    }

    fn answer(&self, write: Option<u32>, outcome: Result<(), NoteRefusal>) {
        if let Some(write) = write {
            self.voice.say(LeaseNews::Noted { write, outcome });
        }
    }

    async fn take_if_free(&mut self) {
        if !*self.control.lattice.connected().borrow() {
            return;
        }
        self.read().await;
        let Some(expected) = self.known.free_at(&self.control.host, Instant::now()) else { return };
        let (renewed, note) = (Instant::now(), self.known.note().to_vec());
        match self.put_surely(note.clone(), expected, renewed).await {
            Ok(revision) => {
                let own = Own { revision, renewed };
                self.own = Some(own);
                info!(provider = %self.scope.provider, lease = %self.scope.name, link = %self.scope.link, "this host's provider holds the lease");
                self.voice.say(LeaseNews::Held { note, for_ms: left_ms(own.until()) });
            }
            Err(error) => debug!(%error, lease = %self.key, "the lease is not taken"),
        }
    }

    /// Learns what stands in the store: from its news, or by asking where there were none yet.
    async fn read(&mut self) {
        if *self.seen.borrow() == Seen::Unread {
            match self.get().await {
                Ok(there) => self.saw(there),
                Err(error) => debug!(%error, lease = %self.key, "the lease cannot be read"),
            }
        }
        let seen = self.seen.borrow_and_update().clone();
        if seen.revision() != self.known.revision {
            self.learn(&seen);
        }
    }

    fn saw(&self, there: Option<(String, u64)>) {
        match there {
            Some((token, revision)) => {
                self.control.provider_leases.saw(&self.key, &token, revision);
            }
            None => self.control.provider_leases.gone(&self.key),
        }
    }

    fn learn(&mut self, seen: &Seen) {
        self.known.revision = seen.revision();
        if let Seen::Put { token, since, .. } = seen
            && let Some(lease) = self.verified(token)
        {
            self.known.learn(lease, *since);
        }
    }

    /// What stands there is worth what its signatures are worth, and only where it belongs.
    fn verified(&self, token: &str) -> Option<ProviderLease> {
        let (trust, now) = (self.control.registry.trust(), self.control.registry.now());
        let lease =
            Signed::<ProviderLease>::parse(token).and_then(|it| it.verify_held(&trust, now));
        let refused = match lease {
            Ok(lease) if lease.body.scope == self.scope => return Some(lease.body.clone()),
            Ok(_) => "it is another lease's".to_owned(),
            Err(error) => error.to_string(),
        };
        self.control.reports.refused("provider's lease in the store", &refused);
        None
    }

    /// Puts our word in the place of what stands at `expected`, and goes on trying until it is known what became of that; after
    /// `until` it gives up.
    async fn put_surely(
        &mut self,
        note: Vec<u8>,
        mut expected: u64,
        until: Instant,
    ) -> Result<u64, PutError> {
        let lease = self.known.next(&self.scope, &self.control.host, note, false);
        let token = self.sign(&lease)?;
        loop {
            let error = match self.put(&token, expected).await {
                Ok(revision) => {
                    self.known.is_ours(lease, revision);
                    return Ok(revision);
                }
                Err(RecordsError::Conflict { .. }) => match self.get().await {
                    // An attempt of before that nobody answered.
                    Ok(Some((there, revision))) if there == token => {
                        self.known.is_ours(lease, revision);
                        return Ok(revision);
                    }
                    Ok(Some((there, _)))
                        if self.verified(&there).is_some_and(|it| it.count >= lease.count) =>
                    {
                        return Err(PutError::Taken);
                    }
                    // Nobody else took it: somebody deleted it, or put there what is none.
                    Ok(there) if self.own.is_some() => {
                        expected = there.map_or(0, |(_, revision)| revision);
                        "it was replaced by what is none".to_owned()
                    }
                    Ok(there) => {
                        self.saw(there); // no news of it may be on its way
                        return Err(PutError::Taken);
                    }
                    Err(error) => error.to_string(),
                },
                Err(error) => error.to_string(),
            };
            if Instant::now() >= until {
                return Err(PutError::OutOfReach(error));
            }
            sleep(RETRY_AFTER).await;
        }
    }

    fn sign(&self, lease: &ProviderLease) -> Result<String, SignError> {
        let signed = self.control.sign_as_host(self.control.host.to_string(), lease.clone())?;
        Ok(signed.text().to_owned())
    }

    async fn put(&mut self, token: &str, expected: u64) -> Result<u64, RecordsError> {
        let key = self.key.clone();
        let put = async { self.records().await?.put(&key, token, Some(expected)).await };
        timeout(STORE_WAIT, put).await.unwrap_or(Err(RecordsError::Store(StoreError::TimedOut)))
    }

    async fn get(&mut self) -> Result<Option<(String, u64)>, RecordsError> {
        let key = self.key.clone();
        let get = async { self.records().await?.get(&key).await };
        timeout(STORE_WAIT, get).await.unwrap_or(Err(RecordsError::Store(StoreError::TimedOut)))
    }

    async fn records(&mut self) -> Result<&Records, RecordsError> {
        if self.records.is_none() {
            self.records = Some(self.control.lattice.records().await?);
        }
        Ok(self.records.as_ref().expect("it was just opened"))
    }

    fn lose(&mut self, why: &str) {
        self.own = None;
        warn!(provider = %self.scope.provider, lease = %self.scope.name, link = %self.scope.link, why, "this host's provider has lost the lease");
        self.voice.say(LeaseNews::Lost);
    }

    /// Lays it down, so that the next one need not wait until it expires.
    async fn lay_down(&mut self) {
        let Some(own) = self.own.take() else { return };
        let note = self.known.note().to_vec();
        let lease = self.known.next(&self.scope, &self.control.host, note, true);
        let Ok(token) = self.sign(&lease) else { return };
        if self.put(&token, own.revision).await.is_ok() {
            info!(provider = %self.scope.provider, lease = %self.scope.name, link = %self.scope.link, "the lease is laid down");
        }
    }
}

fn left_ms(until: Instant) -> u32 {
    u32::try_from(until.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(u32::MAX)
}
