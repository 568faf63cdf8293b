//! Records: what is kept in the lattice's store, each signed, each with a generation.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Debug},
    str::FromStr,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wattle_core::{
    AccountKey, EntityId, HostKey, Link, Name,
    link::{ConfigValue, LinkKey},
};

use crate::{About, Body, TokenError, TokenKind, UnderAccount};

/// A value under a key, or its tombstone. Subject: the key's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record<T> {
    /// Grows with every change of this key; hosts refuse what is older than what they know.
    pub generation: u64,
    /// Under which key it is kept.
    pub key: RecordKey,
    /// The value; none says that it is deleted.
    pub value: Option<T>,
}

/// A link, or its deletion.
pub type LinkRecord = Record<Link>;
/// Settings under a name, or their deletion.
pub type ConfigRecord = Record<BTreeMap<String, ConfigValue>>;
/// What another account's links may name, or the end of that.
pub type ShareRecord = Record<Share>;
/// What a host runs.
pub type PlacementRecord = Record<Placement>;

/// What a record may hold.
pub trait RecordValue: Serialize + DeserializeOwned + Clone + Debug {
    /// The kind of token around the record.
    const KIND: TokenKind;

    /// Whether `key` is the one that this value is kept under; `None` stands for a tombstone, where only the key's sort counts.
    fn belongs(value: Option<&Self>, key: &RecordKey) -> bool;
}

/// What links of another account may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Share {
    /// The account whose links may name them.
    pub with: AccountKey,
    /// Ids of the sharing account.
    pub ids: BTreeSet<EntityId>,
}

/// What a host runs, for routers elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Placement {
    /// The host, which signs.
    pub host: HostKey,
    /// Ids of what runs there.
    pub entries: Vec<EntityId>,
}

/// Under which key a record is kept. Its text is the key in the JetStream bucket. Accounts never share a key, so none can
/// outdate another's record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RecordKey {
    /// `link.{account}.{source}.{target}.{namespace}={package}.{name}`
    Link {
        /// Under whose chain it is signed.
        account: AccountKey,
        /// Which link.
        key: LinkKey,
    },
    /// `config.{account}.{name}`
    Config {
        /// Whose it is.
        account: AccountKey,
        /// Its name.
        name: Name,
    },
    /// `share.{account}.{with}`
    Share {
        /// Who shares.
        account: AccountKey,
        /// With whom.
        with: AccountKey,
    },
    /// `revocations.{issuer}`
    Revocations {
        /// The account or operator.
        issuer: String,
    },
    /// `placement.{host}`
    Placement {
        /// The host.
        host: HostKey,
    },
}

/// Why a text is not a record's key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a record's key")]
pub struct RecordKeyError(String);

impl fmt::Display for RecordKey {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unimplemented!()
    }
}

impl FromStr for RecordKey {
    type Err = RecordKeyError;

    fn from_str(_text: &str) -> Result<Self, RecordKeyError> {
        unimplemented!()
    }
}

impl TryFrom<String> for RecordKey {
    type Error = RecordKeyError;

    fn try_from(text: String) -> Result<Self, RecordKeyError> {
        text.parse()
    }
}

impl From<RecordKey> for String {
    fn from(key: RecordKey) -> Self {
        key.to_string()
    }
}

impl<T: RecordValue> Body for Record<T> {
    const KIND: TokenKind = T::KIND;

    fn check(&self, _about: &About<'_>) -> Result<(), TokenError> {
        unimplemented!()
    }
}

impl<T: RecordValue> UnderAccount for Record<T> {}

impl RecordValue for Link {
    const KIND: TokenKind = TokenKind::Link;

    fn belongs(value: Option<&Self>, key: &RecordKey) -> bool {
        matches!(key, RecordKey::Link { key, .. } if value.is_none_or(|link| link.key() == *key))
    }
}

impl RecordValue for BTreeMap<String, ConfigValue> {
    const KIND: TokenKind = TokenKind::Config;

    fn belongs(_: Option<&Self>, key: &RecordKey) -> bool {
        matches!(key, RecordKey::Config { .. })
    }
}

impl RecordValue for Share {
    const KIND: TokenKind = TokenKind::Share;

    fn belongs(value: Option<&Self>, key: &RecordKey) -> bool {
        matches!(key, RecordKey::Share { with, .. } if value.is_none_or(|share| share.with == *with))
    }
}

impl RecordValue for Placement {
    const KIND: TokenKind = TokenKind::Placement;

    fn belongs(value: Option<&Self>, key: &RecordKey) -> bool {
        matches!(key, RecordKey::Placement { host } if value.is_none_or(|at| at.host == *host))
    }
}
