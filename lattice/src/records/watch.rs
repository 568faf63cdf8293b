//! The bucket as news: a listing, then what changes, and a new listing after every gap.
//!
//! A consumer alone does not tell of everything: a stream that is purged, deleted, or made again says nothing to whoever reads
//! it, and one who was away does not know what was missed. So the stream's own account of itself is compared with what was
//! seen, now and then, and any doubt ends in a new listing.

use std::{collections::HashSet, time::Duration};

use async_nats::jetstream::{Message, stream};
use futures::{Stream, StreamExt};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{RECORDS_MAX, Records, RecordsError, holds_value};
use crate::bucket::{Reader, StoreError};

/// Between two comparisons of what was seen with what the stream says it holds.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);
/// After a listing failed.
const RETRY_DELAY: Duration = Duration::from_millis(250);
/// Changes that wait for whoever watches; then we wait for them, and NATS keeps the rest.
const CHANGES_MAX: usize = 256;

/// News from the bucket. Whoever watches gets a listing first (`Listing`, a `Put` for each key, `Listed`), then what changes;
/// after every gap a listing comes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordChange {
    /// A listing begins: of all that is in the bucket, whether it was told before or not. One that was under way is void.
    Listing {
        /// Whether this is another bucket than before, or one that somebody emptied. What was in it is not deleted, it is
        /// missing: deletion is a signed tombstone.
        replaced: bool,
    },
    /// What a key holds now.
    Put {
        /// The key.
        key: String,
        /// The record's token, not verified; empty if what stands there cannot be one.
        token: String,
        /// The bucket's revision of it, for `put`'s `expected`.
        revision: u64,
        /// When the bucket took it, by NATS's clock: seconds since 1970.
        stored_s: u64,
    },
    /// Somebody deleted a key. Absence changes nothing: whoever knows the record may put it again.
    Gone {
        /// The key.
        key: String,
    },
    /// The listing is complete: a key that was not in it is not in the bucket.
    Listed,
}

impl Records {
    /// What is in the bucket, and from then on what changes, for as long as the stream is held: across lost connections, and
    /// across buckets that are emptied, deleted and made again. Must be called in a tokio runtime.
    pub async fn watch(
        &self,
    ) -> Result<impl Stream<Item = RecordChange> + Send + Unpin + use<>, RecordsError> {
        let (changes, watched) = mpsc::channel(CHANGES_MAX);
        let watch = Watch { records: self.clone(), changes, seen: Seen::default() };
        tokio::spawn(watch.run());
        let next = |mut watched: mpsc::Receiver<RecordChange>| async {
            Some((watched.recv().await?, watched))
        };
        Ok(Box::pin(futures::stream::unfold(watched, next)))
    }
}

struct Watch {
    records: Records,
    changes: mpsc::Sender<RecordChange>,
    seen: Seen,
}

/// Why a round of watching ended.
enum Ended {
    /// Nobody watches any more.
    Unwatched,
    /// Something was missed, or may have been.
    Gap,
    /// It could not be done.
    Failed(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl Watch {
    async fn run(mut self) {
        let mut failing = false;
        loop {
            let ended = tokio::select! {
                biased;
                () = self.changes.closed() => Ended::Unwatched,
                ended = watch_once(&self.records, &self.changes, &mut self.seen) => ended,
            };
            match ended {
                Ended::Unwatched => return,
                Ended::Gap => failing = false,
                Ended::Failed(error) => {
                    // Once per spell, not four times a second while NATS is away.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(%error, "the records cannot be watched; trying again");
                    }
                    sleep(RETRY_DELAY).await;
                }
            }
        }
    }
}

/// One listing and what follows it, until something is missed.
async fn watch_once(
    records: &Records,
    changes: &mpsc::Sender<RecordChange>,
    seen: &mut Seen,
) -> Ended {
    let mut round = match Round::begin(records, changes, seen).await {
        Ok(round) => round,
        Err(ended) => return ended,
    };
    round.follow().await.err().unwrap_or(Ended::Gap)
}

async fn tell(changes: &mpsc::Sender<RecordChange>, change: RecordChange) -> Result<(), Ended> {
    changes.send(change).await.map_err(|_| Ended::Unwatched)
}

struct Round<'a> {
    records: &'a Records,
    changes: &'a mpsc::Sender<RecordChange>,
    seen: &'a mut Seen,
    reader: Reader,
    listed: bool,
}

impl<'a> Round<'a> {
    async fn begin(
        records: &'a Records,
        changes: &'a mpsc::Sender<RecordChange>,
        seen: &'a mut Seen,
    ) -> Result<Self, Ended> {
        let info = records.bucket.info().await?;
        let reader = records.read("").await?;
        let replaced = seen.is_replaced_by(&Account::of(&info));
        *seen = Seen::at(&info);
        let mut round = Self { records, changes, seen, reader, listed: false };
        tell(changes, RecordChange::Listing { replaced }).await?;
        round.listed_if(round.reader.pending == 0).await?;
        Ok(round)
    }

    async fn follow(&mut self) -> Result<(), Ended> {
        let lattice = self.records.bucket.lattice().clone();
        let mut check = interval(CHECK_INTERVAL);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        check.reset();
        loop {
            tokio::select! {
                // What was there before the connection went is listed again when it is back.
                () = lattice.lost() => return Ok(()),
                message = self.reader.messages.next() => match message {
                    Some(Ok(message)) => self.take(&message).await?,
                    Some(Err(_)) | None => return Ok(()),
                },
                _ = check.tick() => {
                    let account = Account::of(&self.records.bucket.info().await?);
                    if self.seen.misses(&account) {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn take(&mut self, message: &Message) -> Result<(), Ended> {
        let Ok(info) = message.info() else { return Ok(()) };
        let (revision, pending) = (info.stream_sequence, info.pending);
        self.seen.saw(&message.subject, revision);
        if let Some(key) = self.records.key(message).map(str::to_owned) {
            let change = if holds_value(message) {
                let stored_s = u64::try_from(info.published.unix_timestamp()).unwrap_or(0);
                let token = self.records.token(&message.payload);
                RecordChange::Put { key, token, revision, stored_s }
            } else {
                RecordChange::Gone { key }
            };
            if self.seen.subjects.len() <= RECORDS_MAX {
                tell(self.changes, change).await?;
            }
        }
        self.listed_if(pending == 0).await
    }

    async fn listed_if(&mut self, complete: bool) -> Result<(), Ended> {
        if complete && !self.listed {
            self.listed = true;
            tell(self.changes, RecordChange::Listed).await?;
        }
        Ok(())
    }
}

/// What a stream says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    /// When it was made, in nanoseconds since 1970.
    made: i128,
    last: u64,
    subjects: u64,
}

impl Account {
    fn of(info: &stream::Info) -> Self {
        Self {
            made: info.created.unix_timestamp_nanos(),
            last: info.state.last_sequence,
            subjects: info.state.subjects_count,
        }
    }
}

/// What was seen of the stream.
#[derive(Debug, Default)]
struct Seen {
    made: Option<i128>,
    /// The stream's last message when the listing began: all up to it come with the listing.
    listed_up_to: u64,
    /// The last message seen.
    last: u64,
    /// The keys seen, deleted ones too: their marks are in the stream.
    subjects: HashSet<Box<str>>,
    /// What the stream's last message was at the comparison before, if it was not seen yet then.
    behind: Option<u64>,
}

impl Seen {
    fn at(info: &stream::Info) -> Self {
        let account = Account::of(info);
        Self { made: Some(account.made), listed_up_to: account.last, ..Self::default() }
    }

    fn saw(&mut self, subject: &str, sequence: u64) {
        self.last = self.last.max(sequence);
        // One more than is told of: that there are too many is known then.
        if self.subjects.len() <= RECORDS_MAX && !self.subjects.contains(subject) {
            self.subjects.insert(subject.into());
        }
    }

    /// Whether the stream is another than the one that was seen, or lacks what was seen in it.
    fn is_replaced_by(&self, now: &Account) -> bool {
        let Some(made) = self.made else { return false };
        let known = self.subjects.len() as u64;
        made != now.made
            || now.last < self.last
            // Keys only ever come, marks of deletion included; fewer means that somebody took some out.
            || (now.subjects < known && known <= RECORDS_MAX as u64)
    }

    /// Whether something happened that was not seen. A message that is just under way was not missed: it must be missing at
    /// two comparisons.
    fn misses(&mut self, now: &Account) -> bool {
        let up_to = self.last.max(self.listed_up_to);
        let behind = (now.last > up_to).then_some(up_to);
        let stuck = behind.is_some() && self.behind == behind;
        self.behind = behind;
        let known = self.subjects.len() as u64;
        let differs = behind.is_none() && now.subjects != known && known <= RECORDS_MAX as u64;
        self.is_replaced_by(now) || stuck || differs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(keys: &[&str]) -> Seen {
        let mut seen = Seen { made: Some(1), ..Seen::default() };
        for (sequence, key) in (1..).zip(keys) {
            seen.saw(key, sequence);
        }
        seen
    }

    #[test]
    fn what_was_seen_is_not_missed() {
        let mut seen = seen(&["a", "b", "a"]);
        let now = Account { made: 1, last: 3, subjects: 2 };
        assert!(!seen.misses(&now) && !seen.misses(&now));
        assert!(!seen.is_replaced_by(&now));
    }

    #[test]
    fn a_message_under_way_is_not_missed_yet() {
        let mut seen = seen(&["a"]);
        assert!(!seen.misses(&Account { made: 1, last: 2, subjects: 2 }));
        seen.saw("b", 2);
        assert!(!seen.misses(&Account { made: 1, last: 3, subjects: 2 }));
        assert!(seen.misses(&Account { made: 1, last: 4, subjects: 2 }));
    }

    #[test]
    fn a_bucket_made_again_or_emptied_is_another() {
        for now in [
            Account { made: 2, last: 2, subjects: 2 },
            Account { made: 1, last: 1, subjects: 1 },
            Account { made: 1, last: 2, subjects: 0 },
            Account { made: 1, last: 7, subjects: 1 },
        ] {
            assert!(seen(&["a", "b"]).is_replaced_by(&now), "{now:?}");
            assert!(seen(&["a", "b"]).misses(&now), "{now:?}");
        }
    }

    #[test]
    fn an_empty_bucket_with_a_past_is_listed_once() {
        let mut seen = Seen { made: Some(1), listed_up_to: 9, ..Seen::default() };
        let now = Account { made: 1, last: 9, subjects: 0 };
        assert!(!seen.misses(&now) && !seen.misses(&now));
    }
}
