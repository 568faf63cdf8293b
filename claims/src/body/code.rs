//! What code is, and what it may speak: actors and providers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wattle_core::{Digest, Interface};

use crate::{Body, TokenKind, UnderAccount};

/// A Wasm component; subject: the actor's key; signed by the account that answers for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ActorClaims {
    /// What people call it.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// SHA-256 of all bytes before the claims section.
    pub hash: Digest,
    /// What it may call.
    pub imports: Vec<Interface>,
    /// What it may answer.
    pub exports: Vec<Interface>,
}

/// A provider's artifact; subject: the provider's key; signed by the account that answers for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProviderClaims {
    /// What people call it.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// What it may call on actors.
    pub imports: Vec<Interface>,
    /// What it offers to actors.
    pub exports: Vec<Interface>,
    /// SHA-256 of its binary for each platform, `{os}-{arch}` as [`std::env::consts`] spells them.
    pub binaries: BTreeMap<String, Digest>,
}

impl Body for ActorClaims {
    const KIND: TokenKind = TokenKind::Actor;
}

impl Body for ProviderClaims {
    const KIND: TokenKind = TokenKind::Provider;
}

impl UnderAccount for ActorClaims {}
impl UnderAccount for ProviderClaims {}
