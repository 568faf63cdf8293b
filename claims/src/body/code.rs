//! What code is, and what it may speak: actors and providers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wattle_core::{Digest, Interface};

use crate::{About, Body, TokenError, TokenKind, UnderAccount, body::check_label};

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

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn check(&self, _: &About<'_>) -> Result<(), TokenError> {
        check_label(Self::KIND, &self.name)?;
        check_label(Self::KIND, &self.version)
    }
}

impl Body for ProviderClaims {
    const KIND: TokenKind = TokenKind::Provider;

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }

    fn check(&self, _: &About<'_>) -> Result<(), TokenError> {
        check_label(Self::KIND, &self.name)?;
        check_label(Self::KIND, &self.version)?;
        let why = "a platform is {os}-{arch}, in a-z, 0-9, '_' and '-'";
        let fits = self.binaries.keys().all(|platform| is_platform(platform));
        if fits { Ok(()) } else { Err(TokenError::Body { of: Self::KIND, why }) }
    }
}

impl UnderAccount for ActorClaims {}
impl UnderAccount for ProviderClaims {}

/// A platform is a file's name in the artifact: short, and never a path.
fn is_platform(text: &str) -> bool {
    const PLATFORM_LEN_MAX: usize = 64;
    text.len() <= PLATFORM_LEN_MAX
        && text.split_once('-').is_some_and(|(os, arch)| !os.is_empty() && !arch.is_empty())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}
