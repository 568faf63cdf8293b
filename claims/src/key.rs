//! Key pairs: Ed25519 keys in the text form of NATS (nkeys), each of one kind.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use wattle_core::KeyError;

/// What a key is for. The first letter of its public text says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyKind {
    /// `O`: the root that hosts are told to trust.
    Operator,
    /// `A`: whose things they are.
    Account,
    /// `U`: who gives commands.
    User,
    /// `N`: one process that runs actors and providers.
    Host,
    /// `M`: an actor's artifact.
    Actor,
    /// `V`: a provider's artifact.
    Provider,
}

/// A private key and its public key. It is never shown by accident: `Debug` prints the public key.
pub struct KeyPair {
    keys: nkeys::KeyPair,
    kind: KeyKind,
}

/// Why a text is not the seed of a key pair that we use. It never quotes the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeedError {
    /// Not base32 of the right length with a right checksum.
    #[error(
        "not a seed: a seed has 58 characters of A-Z and 2-7, starts with S and carries a checksum"
    )]
    Malformed,
    /// A seed of a kind of key that Wattle has no use for (cluster, curve …).
    #[error("a seed of another kind of key: use one that starts with SO, SA, SU, SN, SM or SV")]
    Kind,
}

impl KeyPair {
    /// A new random key pair.
    pub fn generate(kind: KeyKind) -> Self {
        unimplemented!("{kind:?}")
    }

    /// The key pair of this seed (`SA…`).
    pub fn from_seed(_seed: &str) -> Result<Self, SeedError> {
        unimplemented!()
    }

    /// What the key is for.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The seed's text: whoever reads it can sign as this key.
    pub fn seed(&self) -> String {
        unimplemented!()
    }

    /// The public key's text.
    pub fn public(&self) -> String {
        self.keys.public_key()
    }

    /// The public key as the type of its kind; an error for the type of another kind.
    pub fn public_key<K: FromStr<Err = KeyError>>(&self) -> Result<K, KeyError> {
        self.public().parse()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.public()).finish()
    }
}
