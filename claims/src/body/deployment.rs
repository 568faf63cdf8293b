//! What is declared to run, how far it has come, and who sees to it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wattle_core::{
    AccountKey, Digest, HostKey, codec,
    deployment::{Deployment, VersionName},
};

use crate::{
    About, Body, RecordKey, RecordValue, Renewed, TokenError, TokenKind, UnderAccount,
    body::subject_error,
};

const LEASE_PREFIX: &str = "lease.";

/// How far a deployment has come. wadm's host signs it; it grants nothing that the deployment does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rollout {
    /// The term of the lease under which it was written.
    pub term: u64,
    /// The generation of the deployment's record that this is about: another record is another attempt.
    pub generation: u64,
    /// The version that is being run.
    pub version: VersionName,
    /// Whether it has been healthy: from then on it is kept running, whatever happens to it.
    pub healthy: bool,
    /// Whether it has been well as a canary: it goes to all hosts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub promoted: bool,
    /// The deployment's links that hold, by content.
    #[serde(default)]
    pub links: BTreeSet<Digest>,
    /// Where the version is not the one that was asked for: which one was, and why it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<GivenUp>,
}

/// A version that did not become healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GivenUp {
    /// The version.
    pub version: VersionName,
    /// Why, for a person.
    pub reason: String,
}

/// Which wadm acts: the newest of these in the lattice's store says so. Subject: the host's own key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lease {
    /// The host that holds it.
    pub holder: HostKey,
    /// The revision with which it was taken; none where this is that revision. It is the fencing token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<u64>,
    /// Whether its holder has laid it down: the next one need not wait.
    #[serde(default)]
    pub released: bool,
}

impl Lease {
    /// Under which key of the lattice's records the lease of an account stands.
    pub fn key(account: &AccountKey) -> String {
        format!("{LEASE_PREFIX}{account}")
    }

    /// Whether a key of the lattice's records is a lease's.
    pub fn is_key(key: &str) -> bool {
        key.starts_with(LEASE_PREFIX)
    }

    /// The lease's term, given the revision at which this stands.
    pub fn term_at(&self, revision: u64) -> u64 {
        self.term.unwrap_or(revision)
    }
}

/// The SHA-256 of a value's bytes: a deployment's programs and links are called by it.
pub fn content_of<T: Serialize>(value: &T) -> Digest {
    Digest::from_bytes(Sha256::digest(codec::encode(value)).into())
}

impl RecordValue for Deployment {
    const KIND: TokenKind = TokenKind::Deployment;

    fn belongs(value: Option<&Self>, key: &RecordKey) -> bool {
        let RecordKey::Deployment { account, application } = key else { return false };
        value.is_none_or(|value| {
            let components = value.versions.iter().flat_map(|version| &version.components);
            let mut programs = components.map(|component| &component.program);
            // What another account signed could be started under this one's name, and stopped under none.
            value.application == *application
                && value.check().is_ok()
                && programs.all(|program| program.identity.account == *account)
        })
    }
}

impl RecordValue for Rollout {
    const KIND: TokenKind = TokenKind::Rollout;

    fn belongs(_: Option<&Self>, key: &RecordKey) -> bool {
        matches!(key, RecordKey::Rollout { .. })
    }
}

impl Body for Lease {
    const KIND: TokenKind = TokenKind::Lease;

    fn check(&self, about: &About<'_>) -> Result<(), TokenError> {
        if about.subject == about.issuer && about.issuer == self.holder.as_str() {
            Ok(())
        } else {
            Err(subject_error::<Self>(about, "a host takes a lease for itself"))
        }
    }
}

impl UnderAccount for Lease {}

impl Renewed for Lease {}
