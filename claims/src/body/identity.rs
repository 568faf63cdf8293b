//! Who someone is: operators, accounts, users and hosts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wattle_core::Name;

use crate::{About, Body, TokenError, TokenKind, UnderAccount, body::check_label};

/// An operator; subject: its own key, which also signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OperatorClaims {
    /// What people call it.
    pub name: String,
}

/// An account; subject: its key; signed by its operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccountClaims {
    /// What people call it.
    pub name: String,
}

/// A user; subject: the user's key; signed by the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct UserClaims {
    /// What people call the user.
    pub name: String,
    /// What the user may do in the account's name.
    pub rights: BTreeSet<Right>,
}

/// A host; subject: its key; signed by the account it works for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostClaims {
    /// Its friendly name.
    pub name: Name,
    /// What it may do beside being a host; of these only [`Right::Wadm`] counts.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rights: BTreeSet<Right>,
}

/// What a user, or with [`Right::Wadm`] a host, may do in the account's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Start, stop and scale.
    Control,
    /// Sign links.
    Link,
    /// Sign config.
    Config,
    /// Call actors and providers without a link.
    Invoke,
    /// Read inventory, links, config and logs.
    Inspect,
    /// A host's: have other hosts run what deployments say.
    Wadm,
}

impl Body for OperatorClaims {
    const KIND: TokenKind = TokenKind::Operator;

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn check(&self, _: &About<'_>) -> Result<(), TokenError> {
        check_label(Self::KIND, &self.name)
    }
}

impl Body for AccountClaims {
    const KIND: TokenKind = TokenKind::Account;

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn check(&self, _: &About<'_>) -> Result<(), TokenError> {
        check_label(Self::KIND, &self.name)
    }
}

impl Body for UserClaims {
    const KIND: TokenKind = TokenKind::User;

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn check(&self, _: &About<'_>) -> Result<(), TokenError> {
        check_label(Self::KIND, &self.name)
    }
}

impl Body for HostClaims {
    const KIND: TokenKind = TokenKind::Host;

    fn name(&self) -> Option<&str> {
        Some(self.name.as_str())
    }
}

impl UnderAccount for AccountClaims {}
impl UnderAccount for UserClaims {}
impl UnderAccount for HostClaims {}
