//! Who someone is: operators, accounts, users and hosts.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wattle_core::Name;

use crate::{Body, TokenKind, UnderAccount};

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
}

/// What a user may do in the account's name.
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
}

impl Body for OperatorClaims {
    const KIND: TokenKind = TokenKind::Operator;
}

impl Body for AccountClaims {
    const KIND: TokenKind = TokenKind::Account;
}

impl Body for UserClaims {
    const KIND: TokenKind = TokenKind::User;
}

impl Body for HostClaims {
    const KIND: TokenKind = TokenKind::Host;
}

impl UnderAccount for AccountClaims {}
impl UnderAccount for UserClaims {}
impl UnderAccount for HostClaims {}
