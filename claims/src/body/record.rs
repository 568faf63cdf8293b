//! Records: what is kept in the lattice's store, each signed, each with a generation.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Debug},
    str::FromStr,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wattle_core::{
    AccountKey, EntityId, HostKey, Interface, Link, Name,
    deployment::Deployment,
    link::{ConfigValue, LinkKey},
};

use crate::{
    About, Body, KeyKind, TokenError, TokenKind, UnderAccount,
    body::{deployment::Rollout, subject_error},
    compact::SEPARATOR,
    error::shortened,
};

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
/// What is declared to run, or the end of that.
pub type DeploymentRecord = Record<Deployment>;
/// How far a deployment has come, or the end of that.
pub type RolloutRecord = Record<Rollout>;

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
    /// What runs there.
    pub entries: Vec<Placed>,
    /// The tokens behind those of the entries: most have the same.
    pub issuers: Vec<String>,
    /// The host is on its way out: what it runs there still calls, and is to be called on other hosts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}

/// Something that runs on a host, with the claims that it runs by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Placed {
    /// The id it runs under.
    pub id: EntityId,
    /// The first token of its claims' text.
    pub claims: String,
    /// Which of the placement's issuers stand behind it; none where its own token is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuers: Option<u32>,
}

impl Placement {
    /// A host that runs nothing.
    pub const fn empty(host: HostKey) -> Self {
        Self { host, entries: Vec::new(), issuers: Vec::new(), leaving: false }
    }

    /// Adds something that runs by the claims of this text.
    pub fn add(&mut self, id: EntityId, claims: &str) {
        let (own, issuers) = match claims.split_once(SEPARATOR) {
            Some((own, issuers)) => (own, Some(issuers)),
            None => (claims, None),
        };
        let issuers = issuers.map(|issuers| {
            let known = self.issuers.iter().position(|known| known == issuers);
            let at = known.unwrap_or_else(|| {
                self.issuers.push(issuers.to_owned());
                self.issuers.len() - 1
            });
            u32::try_from(at).expect("a record has fewer tokens")
        });
        self.entries.push(Placed { id, claims: own.to_owned(), issuers });
    }

    /// Everything that runs there, with the whole text of its claims. Nothing of a text is believed yet.
    pub fn claims(&self) -> impl Iterator<Item = (&EntityId, String)> {
        self.entries.iter().filter_map(|placed| {
            let text = match placed.issuers {
                None => placed.claims.clone(),
                Some(at) => {
                    format!("{}{SEPARATOR}{}", placed.claims, self.issuers.get(at as usize)?)
                }
            };
            Some((&placed.id, text))
        })
    }
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
    /// `deployment.{account}.{application}`
    Deployment {
        /// Whose it is.
        account: AccountKey,
        /// The application.
        application: Name,
    },
    /// `rollout.{account}.{application}`
    Rollout {
        /// Whose deployment it is.
        account: AccountKey,
        /// The application.
        application: Name,
    },
}

/// Why a text is not a record's key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a record's key")]
pub struct RecordKeyError(String);

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { account, key } => {
                // A bucket's keys have no ':'.
                let package = key.package.replacen(':', "=", 1);
                let LinkKey { source, target, name, .. } = key;
                write!(f, "link.{account}.{source}.{target}.{package}.{name}")
            }
            Self::Config { account, name } => write!(f, "config.{account}.{name}"),
            Self::Share { account, with } => write!(f, "share.{account}.{with}"),
            Self::Revocations { issuer } => write!(f, "revocations.{issuer}"),
            Self::Placement { host } => write!(f, "placement.{host}"),
            Self::Deployment { account, application } => {
                write!(f, "deployment.{account}.{application}")
            }
            Self::Rollout { account, application } => write!(f, "rollout.{account}.{application}"),
        }
    }
}

impl FromStr for RecordKey {
    type Err = RecordKeyError;

    fn from_str(text: &str) -> Result<Self, RecordKeyError> {
        parse_key(text).ok_or_else(|| RecordKeyError(shortened(text)))
    }
}

fn parse_key(text: &str) -> Option<RecordKey> {
    const PARTS_MAX: usize = 6;
    // No part of a key has a dot of its own.
    let parts: Vec<&str> = text.split('.').take(PARTS_MAX + 1).collect();
    Some(match parts[..] {
        ["link", account, source, target, package, name] => {
            let id = |text: &str| text.parse().ok().map(|id: EntityId| id.to_string());
            let (source, target) = (id(source)?, id(target)?);
            let key =
                LinkKey { source, target, package: package_of(package)?, name: name.parse().ok()? };
            RecordKey::Link { account: account.parse().ok()?, key }
        }
        ["config", account, name] => {
            RecordKey::Config { account: account.parse().ok()?, name: name.parse().ok()? }
        }
        ["share", account, with] => {
            RecordKey::Share { account: account.parse().ok()?, with: with.parse().ok()? }
        }
        ["revocations", issuer] => match KeyKind::of(issuer)? {
            KeyKind::Account | KeyKind::Operator => {
                RecordKey::Revocations { issuer: issuer.to_owned() }
            }
            _ => return None,
        },
        ["placement", host] => RecordKey::Placement { host: host.parse().ok()? },
        ["deployment", account, name] => RecordKey::Deployment {
            account: account.parse().ok()?,
            application: name.parse().ok()?,
        },
        ["rollout", account, name] => {
            RecordKey::Rollout { account: account.parse().ok()?, application: name.parse().ok()? }
        }
        _ => return None,
    })
}

/// `namespace=package` as WIT writes it.
fn package_of(text: &str) -> Option<String> {
    let (namespace, name) = text.split_once('=')?;
    let package = format!("{namespace}:{name}");
    let interface: Interface = format!("{package}/any").parse().ok()?;
    (interface.package() == package).then_some(package)
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

    fn check(&self, about: &About<'_>) -> Result<(), TokenError> {
        let key = self.key.to_string();
        if about.subject != key || key.parse().as_ref() != Ok(&self.key) {
            return Err(subject_error::<Self>(about, "it is the key of the record"));
        }
        if !T::belongs(self.value.as_ref(), &self.key) {
            let why = "the value is kept under another key";
            return Err(TokenError::Body { of: T::KIND, why });
        }
        let owner = match &self.key {
            RecordKey::Link { account, .. }
            | RecordKey::Config { account, .. }
            | RecordKey::Share { account, .. }
            | RecordKey::Deployment { account, .. }
            | RecordKey::Rollout { account, .. } => about.account == Some(account),
            RecordKey::Revocations { issuer } => about.issuer == issuer,
            RecordKey::Placement { host } => about.issuer == host.as_str(),
        };
        let why = "the key is another account's or host's";
        if owner { Ok(()) } else { Err(TokenError::Body { of: T::KIND, why }) }
    }
}

impl<T: RecordValue> UnderAccount for Record<T> {}

impl RecordValue for Link {
    const KIND: TokenKind = TokenKind::Link;

    fn belongs(value: Option<&Self>, key: &RecordKey) -> bool {
        let fits = |link: &Self, key: &LinkKey| {
            link.key() == *key
                && link.interfaces.iter().all(|interface| interface.package() == key.package)
        };
        matches!(key, RecordKey::Link { key, .. } if value.is_none_or(|link| fits(link, key)))
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
