//! Signed records in a JetStream key-value bucket: shared, and believed by nobody before they are verified.

use futures::Stream;

use crate::Lattice;

/// The lattice's records.
#[derive(Clone)]
pub struct Records {}

/// News from the bucket. Whoever watches gets a listing first (`Listing`, a `Put` for each key, `Listed`), then what changes;
/// after every gap a listing comes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordChange {
    /// A listing begins: of all that is in the bucket, whether it was told before or not.
    Listing {
        /// Whether this is another bucket than before, or one that somebody emptied. What was in it is not deleted, it is
        /// missing: deletion is a signed tombstone.
        replaced: bool,
    },
    /// What a key holds now.
    Put {
        /// The key.
        key: String,
        /// The record's token, not verified.
        token: String,
        /// The bucket's revision of it, for `put`'s `expected`.
        revision: u64,
    },
    /// Somebody deleted a key. Absence changes nothing: whoever knows the record may put it again.
    Gone {
        /// The key.
        key: String,
    },
    /// The listing is complete: a key that was not in it is not in the bucket.
    Listed,
}

/// What went wrong with the records.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// Somebody else changed the key meanwhile. Get it again and decide again.
    #[error("record {key} was changed by somebody else")]
    Conflict {
        /// The key.
        key: String,
    },
    /// Not a key of the bucket.
    #[error("{0:?} is not a record's key")]
    Key(String),
    /// The record is larger than a record may be.
    #[error("a record of {len} bytes is too large: at most {max}")]
    TooLarge {
        /// The token's length.
        len: usize,
        /// The most it may be.
        max: usize,
    },
    /// There is no connection to NATS.
    #[error("there is no connection to NATS")]
    Disconnected,
    /// NATS did not answer in time.
    #[error("NATS did not answer in time")]
    TimedOut,
    /// The server has no JetStream, or not for us.
    #[error("NATS has no JetStream for us: {0}")]
    NoJetStream(String),
    /// NATS refused.
    #[error("NATS refused: {0}")]
    Refused(String),
}

impl Lattice {
    /// The lattice's records; the bucket is made if it is not there.
    pub async fn records(&self) -> Result<Records, RecordsError> {
        unimplemented!()
    }
}

impl Records {
    /// A record's token and its revision.
    pub async fn get(&self, key: &str) -> Result<Option<(String, u64)>, RecordsError> {
        let _ = key;
        unimplemented!()
    }

    /// Puts a record's token, and returns the new revision. `expected`: the revision that it replaces (0: there must be none);
    /// anything else there is a conflict. `None` replaces whatever is there.
    pub async fn put(
        &self,
        key: &str,
        token: &str,
        expected: Option<u64>,
    ) -> Result<u64, RecordsError> {
        let _ = (key, token, expected);
        unimplemented!()
    }

    /// All records: keys and tokens.
    pub async fn all(&self) -> Result<Vec<(String, String)>, RecordsError> {
        unimplemented!()
    }

    /// What is in the bucket, and from then on what changes, for as long as the stream is held: across lost connections, and
    /// across buckets that are emptied, deleted and made again.
    pub async fn watch(
        &self,
    ) -> Result<impl Stream<Item = RecordChange> + Send + Unpin + use<>, RecordsError> {
        Ok(futures::stream::pending())
    }
}
