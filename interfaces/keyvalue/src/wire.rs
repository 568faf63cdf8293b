//! Parameters and results as they travel: MessagePack maps with the WIT's names. Results are `result<T, error>`.
//!
//! What is read is borrowed from the message, so a value is copied only where the store keeps it.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_bytes::ByteBuf;

use crate::{Error, limit::BATCH_KEYS_MAX};

/// What every function answers.
pub type Outcome<T> = Result<T, Error>;

/// A value that was found.
pub type Value = ByteBuf;

/// Parameters of [`OPEN`](crate::operation::OPEN).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Open<'a> {
    /// The bucket.
    #[serde(borrow)]
    pub bucket: Cow<'a, str>,
}

/// Parameters of [`GET`](crate::operation::GET).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Get<'a> {
    /// The bucket.
    #[serde(borrow)]
    pub bucket: Cow<'a, str>,
    /// The key.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
}

/// Parameters of [`DELETE`](crate::operation::DELETE): the same as those of `get`.
pub type Delete<'a> = Get<'a>;

/// Parameters of [`EXISTS`](crate::operation::EXISTS): the same as those of `get`.
pub type Exists<'a> = Get<'a>;

/// Parameters of [`SET`](crate::operation::SET).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Set<'a> {
    /// The bucket.
    #[serde(borrow)]
    pub bucket: Cow<'a, str>,
    /// The key.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// What to keep.
    #[serde(borrow, with = "serde_bytes")]
    pub value: Cow<'a, [u8]>,
}

/// Parameters of [`LIST_KEYS`](crate::operation::LIST_KEYS).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListKeys<'a> {
    /// The bucket.
    #[serde(borrow)]
    pub bucket: Cow<'a, str>,
    /// Where the page before this one ended; nothing for the first page.
    pub cursor: Option<u64>,
}

/// One page of a bucket's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyResponse {
    /// The keys, in no promised order. A page may be empty although there are more.
    pub keys: Vec<String>,
    /// What to ask for the next page with; nothing after the last.
    pub cursor: Option<u64>,
}

/// Parameters of [`INCREMENT`](crate::operation::INCREMENT).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Increment<'a> {
    /// The bucket.
    #[serde(borrow)]
    pub bucket: Cow<'a, str>,
    /// The key.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// How much to add.
    pub delta: u64,
}

/// Parameters of [`GET_MANY`](crate::operation::GET_MANY).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GetMany<'a> {
    /// The bucket.
    #[serde(borrow)]
    pub bucket: Cow<'a, str>,
    /// The keys.
    #[serde(borrow, deserialize_with = "batch")]
    pub keys: Vec<Text<'a>>,
}

/// Parameters of [`DELETE_MANY`](crate::operation::DELETE_MANY): the same as those of `get-many`.
pub type DeleteMany<'a> = GetMany<'a>;

/// Parameters of [`SET_MANY`](crate::operation::SET_MANY).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SetMany<'a> {
    /// The bucket.
    #[serde(borrow)]
    pub bucket: Cow<'a, str>,
    /// Keys and what to keep under them.
    #[serde(borrow, deserialize_with = "batch")]
    pub key_values: Vec<KeyValue<'a>>,
}

/// A key in a batch. (Serde borrows a `Cow` only where it is a field of its own.)
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// The WIT's `tuple<string, list<u8>>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue<'a>(
    /// The key.
    #[serde(borrow)]
    pub Cow<'a, str>,
    /// What to keep.
    #[serde(borrow, with = "serde_bytes")]
    pub Cow<'a, [u8]>,
);

/// What [`GET_MANY`](crate::operation::GET_MANY) found, in the order of the keys asked for.
pub type Found = Vec<Option<(String, Value)>>;

/// Parameters of [`ON_SET`](crate::operation::ON_SET): the same as those of `set`.
pub type OnSet<'a> = Set<'a>;

/// Parameters of [`ON_DELETE`](crate::operation::ON_DELETE): the same as those of `get`.
pub type OnDelete<'a> = Get<'a>;

/// Stops reading where a batch is past its limit, so that a short message of millions of empty entries costs nothing.
fn batch<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(Batch(PhantomData))
}

struct Batch<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Batch<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {BATCH_KEYS_MAX} entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<T>, A::Error> {
        let mut read = Vec::with_capacity(entries.size_hint().unwrap_or(0).min(BATCH_KEYS_MAX));
        while let Some(entry) = entries.next_element()? {
            if read.len() == BATCH_KEYS_MAX {
                return Err(A::Error::custom(format_args!("more than {BATCH_KEYS_MAX} entries")));
            }
            read.push(entry);
        }
        Ok(read)
    }
}
