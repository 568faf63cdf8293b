//! Which host lets its provider do what only one of a lattice may do.

use serde::{Deserialize, Serialize};
use wattle_core::{
    AccountKey, EntityId, HostKey, Name, codec, link::LinkKey, provider::NOTE_LEN_MAX,
};

use crate::{
    About, Body, Renewed, TokenError, TokenKind, UnderAccount, body::subject_error, content_of,
};

const PREFIX: &str = "provider-lease.";

/// Digits of a link's hash in a key: two links of one provider do not meet by chance.
const LINK_DIGITS: usize = 32;

/// Which host's provider holds one of its leases: the newest of these in the lattice's store says so. Subject: the host's own key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProviderLease {
    /// What is held.
    pub scope: LeaseScope,
    /// The host that holds it.
    pub holder: HostKey,
    /// How often it was written. One that somebody puts there again has a lower one than was seen, and is none.
    pub count: u64,
    /// Whether its holder has laid it down: the next one need not wait.
    #[serde(default)]
    pub released: bool,
    /// What the next holder is to know, at most [`NOTE_LEN_MAX`] bytes.
    #[serde(default, with = "codec::bytes")]
    pub note: Vec<u8>,
}

/// What tells a provider's lease from every other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LeaseScope {
    /// The account that signed the provider's claims.
    pub account: AccountKey,
    /// The id under which hosts run the provider.
    pub provider: EntityId,
    /// The link to which it belongs.
    pub link: LinkKey,
    /// Which of the link's leases it is.
    pub name: Name,
}

impl LeaseScope {
    /// Under which key of the lattice's records it stands. A link's key is hashed: it may be longer than the bucket's keys.
    pub fn key(&self) -> String {
        let Self { account, provider, link, name } = self;
        let hash = content_of(link).hex();
        format!("{PREFIX}{account}.{provider}.{name}.{}", &hash[..LINK_DIGITS])
    }
}

impl ProviderLease {
    /// Whether a key of the lattice's records is a provider's lease's.
    pub fn is_key(key: &str) -> bool {
        key.starts_with(PREFIX)
    }
}

impl Body for ProviderLease {
    const KIND: TokenKind = TokenKind::ProviderLease;

    fn check(&self, about: &About<'_>) -> Result<(), TokenError> {
        if self.note.len() > NOTE_LEN_MAX {
            return Err(TokenError::Body { of: Self::KIND, why: "a note has at most 1024 bytes" });
        }
        if about.subject == about.issuer && about.issuer == self.holder.as_str() {
            Ok(())
        } else {
            Err(subject_error::<Self>(about, "a host takes a lease for itself"))
        }
    }
}

impl UnderAccount for ProviderLease {}

impl Renewed for ProviderLease {}
