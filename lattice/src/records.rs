//! Signed records in a JetStream key-value bucket: shared, and believed by nobody before they are verified.

mod watch;

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{
        Message,
        consumer::DeliverPolicy,
        message::{PublishMessage, StreamMessage},
        stream,
    },
};
use bytes::Bytes;
use futures::StreamExt;
use tokio::time::timeout;
use wattle_core::{LatticeName, control::CONTROL_TOKEN_LEN_MAX};

pub use self::watch::RecordChange;
use crate::{
    Lattice,
    bucket::{Bucket, Reader, StoreError},
};

/// The most bytes of one record: it comes in a command.
const RECORD_LEN_MAX: usize = CONTROL_TOKEN_LEN_MAX;
/// The most bytes of a record's key.
const KEY_LEN_MAX: usize = 512;
/// The most records of one lattice that are listed or watched; what somebody else puts there beyond is not looked at.
const RECORDS_MAX: usize = 50_000;
/// How long the next record of a listing may take.
const NEXT_WAIT: Duration = Duration::from_secs(10);
/// The header by which a key-value bucket marks what is not a value.
const OPERATION: &str = "KV-Operation";

/// The lattice's records.
#[derive(Clone, Debug)]
pub struct Records {
    bucket: Bucket,
    /// What stands before a key in a subject.
    prefix: String,
    /// The same for those who publish, which differs behind a leaf node.
    put_prefix: String,
}

/// What went wrong with the records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordsError {
    /// Somebody else changed the key meanwhile. Get it again and decide again.
    #[error("record {key} was changed by somebody else")]
    Conflict {
        /// The key.
        key: String,
    },
    /// Not a key of the bucket.
    #[error(
        "{0:?} is not a record's key: 1 to 512 of a-z, A-Z, 0-9, '-', '_', '=', '/' and inner dots"
    )]
    Key(String),
    /// The record is larger than a record may be.
    #[error("a record of {len} bytes is too large: at most {max}")]
    TooLarge {
        /// The token's length.
        len: usize,
        /// The most it may be.
        max: usize,
    },
    /// NATS could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Lattice {
    /// The lattice's records; the bucket is made if it is not there. One that an operator made, with more replicas for example,
    /// is used as it is.
    pub async fn records(&self) -> Result<Records, RecordsError> {
        Records::open(self, &name(self.name()), "Wattle's signed records").await
    }

    /// Every version of every application that was deployed: beside the records, for no host needs them. Made and used likewise.
    pub async fn versions(&self) -> Result<Records, RecordsError> {
        Records::open(self, &versions_name(self.name()), "Versions of Wattle's applications").await
    }
}

/// The bucket's name.
pub(crate) fn name(lattice: &LatticeName) -> String {
    format!("wattle_{lattice}_records")
}

/// The name of the bucket with versions.
pub(crate) fn versions_name(lattice: &LatticeName) -> String {
    format!("wattle_{lattice}_versions")
}

/// A key-value bucket as NATS's tools know it, with the newest value of each key only.
fn settings(name: &str, description: &str) -> stream::Config {
    stream::Config {
        name: format!("KV_{name}"),
        description: Some(description.to_owned()),
        subjects: vec![format!("$KV.{name}.>")],
        max_messages_per_subject: 1,
        max_message_size: i32::try_from(RECORD_LEN_MAX + 1_024).expect("a record is small"),
        discard: stream::DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        num_replicas: 1,
        ..stream::Config::default()
    }
}

impl Records {
    async fn open(lattice: &Lattice, name: &str, description: &str) -> Result<Self, RecordsError> {
        let prefix = format!("$KV.{name}.");
        let put_prefix = match lattice.js_domain() {
            Some(domain) => format!("$JS.{domain}.API.{prefix}"),
            None => prefix.clone(),
        };
        let bucket = Bucket::open(lattice.clone(), settings(name, description)).await?;
        Ok(Self { bucket, prefix, put_prefix })
    }

    /// A record's token and its revision. The token is empty if what stands there cannot be one.
    pub async fn get(&self, key: &str) -> Result<Option<(String, u64)>, RecordsError> {
        let last = self.last(key).await?;
        Ok(last
            .filter(|message| is_value(&message.headers))
            .map(|message| (self.token(&message.payload), message.sequence)))
    }

    /// Puts a record's token, and returns the new revision. `expected`: the revision that it replaces (0: there must be none);
    /// anything else there is a conflict. `None` replaces whatever is there.
    pub async fn put(
        &self,
        key: &str,
        token: &str,
        expected: Option<u64>,
    ) -> Result<u64, RecordsError> {
        let max = RECORD_LEN_MAX.min(self.bucket.lattice().client().max_payload());
        if token.len() > max {
            return Err(RecordsError::TooLarge { len: token.len(), max });
        }
        let subject = format!("{}{}", self.put_prefix, checked(key)?);
        let message = PublishMessage::build().payload(Bytes::copy_from_slice(token.as_bytes()));
        let conflict = |error| match error {
            StoreError::Stale => RecordsError::Conflict { key: key.to_owned() },
            error => RecordsError::Store(error),
        };
        match self.bucket.publish(&subject, message.clone(), expected).await {
            // The mark of a deletion has a revision too.
            Err(StoreError::Stale) if expected == Some(0) => match self.last(key).await? {
                Some(mark) if !is_value(&mark.headers) => {
                    let put = self.bucket.publish(&subject, message, Some(mark.sequence)).await;
                    put.map_err(conflict)
                }
                _ => Err(conflict(StoreError::Stale)),
            },
            put => put.map_err(conflict),
        }
    }

    /// All records: keys and tokens.
    pub async fn all(&self) -> Result<Vec<(String, String)>, RecordsError> {
        let mut records = Vec::new();
        self.each("", |key, token| records.push((key.to_owned(), token))).await?;
        Ok(records)
    }

    /// Looks at each record whose key begins so, the one that was changed last at last.
    pub async fn each(
        &self,
        prefix: &str,
        mut look: impl FnMut(&str, String),
    ) -> Result<(), RecordsError> {
        let Reader { mut pending, mut messages } = self.read(prefix).await?;
        let mut count = 0;
        while pending > 0 {
            let next = timeout(NEXT_WAIT, messages.next()).await;
            let message = match next.map_err(|_| StoreError::TimedOut)? {
                Some(message) => message.map_err(|error| StoreError::refused(&error))?,
                None => return Err(StoreError::Disconnected.into()),
            };
            pending = message.info().map_or(0, |info| info.pending);
            if let Some(key) = self.key(&message).filter(|_| holds_value(&message)) {
                count += 1;
                look(key, self.token(&message.payload));
            }
            if count > RECORDS_MAX {
                let text = format!("there are more than {RECORDS_MAX} records");
                return Err(StoreError::Refused(text).into());
            }
        }
        Ok(())
    }

    /// The revision of the newest change.
    pub async fn newest(&self) -> Result<u64, RecordsError> {
        Ok(self.bucket.info().await?.state.last_sequence)
    }

    /// Removes every record up to a revision whose key begins so, as if it had never been. `prefix` ends with a dot.
    pub async fn purge(&self, prefix: &str, newest: u64) -> Result<(), RecordsError> {
        checked(prefix.strip_suffix('.').unwrap_or(prefix))?;
        let subject = format!("{}{prefix}>", self.prefix);
        Ok(self.bucket.purge(&subject, Some(newest.saturating_add(1))).await?)
    }

    async fn last(&self, key: &str) -> Result<Option<StreamMessage>, RecordsError> {
        let subject = format!("{}{}", self.prefix, checked(key)?);
        Ok(self.bucket.last(&subject).await?)
    }

    /// Reads the last message of every key that begins so, and then each new one. `prefix` is empty or ends with a dot.
    async fn read(&self, prefix: &str) -> Result<Reader, StoreError> {
        let filter = format!("{}{prefix}>", self.prefix);
        self.bucket.read(&filter, DeliverPolicy::LastPerSubject).await
    }

    /// The key that a message is about. A key that could not be ours is counted.
    fn key<'a>(&self, message: &'a Message) -> Option<&'a str> {
        let key = message.subject.strip_prefix(&self.prefix).filter(|key| checked(key).is_ok());
        if key.is_none() {
            self.bucket.lattice().counters().refused.count();
        }
        key
    }

    /// A payload as a token, empty if it cannot be one.
    fn token(&self, payload: &Bytes) -> String {
        let text = std::str::from_utf8(payload).ok();
        match text.filter(|text| !text.is_empty() && text.len() <= RECORD_LEN_MAX) {
            Some(token) => token.to_owned(),
            None => {
                self.bucket.lattice().counters().refused.count();
                String::new()
            }
        }
    }
}

fn is_value(headers: &HeaderMap) -> bool {
    headers.get(OPERATION).is_none_or(|operation| operation.as_str() == "PUT")
}

fn holds_value(message: &Message) -> bool {
    message.headers.as_ref().is_none_or(is_value)
}

/// What NATS allows as a key, and no more.
fn checked(key: &str) -> Result<&str, RecordsError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=/.".contains(&byte);
    let fits = (1..=KEY_LEN_MAX).contains(&key.len())
        && key.bytes().all(plain)
        && key.split('.').all(|token| !token.is_empty());
    if fits { Ok(key) } else { Err(RecordsError::Key(key.chars().take(80).collect())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_become_another_subject() {
        for good in ["a", "link/a=b_c/X-1.y", &"k".repeat(512)] {
            assert_eq!(checked(good).expect(good), good);
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "*", "a.>", "ä", "a\r\n", &"k".repeat(513)]
        {
            assert!(checked(bad).is_err(), "{bad:?}");
        }
    }
}
