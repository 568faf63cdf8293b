//! Key pairs: Ed25519 keys in the text form of NATS (nkeys), each of one kind.

use std::{fmt, str::FromStr};

use jsonwebtoken::{DecodingKey, EncodingKey};
use nkeys::KeyPairType;
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
        Self { keys: nkeys::KeyPair::new(kind.of_nats()), kind }
    }

    /// The key pair of this seed (`SA…`).
    pub fn from_seed(seed: &str) -> Result<Self, SeedError> {
        let (prefix, secret) = nkeys::decode_seed(seed).map_err(|_| SeedError::Malformed)?;
        // nkeys takes an unknown prefix for an operator's; we take it for nothing.
        let kind = KeyKind::of_prefix(prefix).ok_or(SeedError::Kind)?;
        let keys = nkeys::KeyPair::new_from_raw(kind.of_nats(), secret)
            .map_err(|_| SeedError::Malformed)?;
        let pair = Self { keys, kind };
        // Bits that the decoder skips would give one key several seeds.
        if pair.seed() == seed { Ok(pair) } else { Err(SeedError::Malformed) }
    }

    /// What the key is for.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The seed's text: whoever reads it can sign as this key.
    pub fn seed(&self) -> String {
        self.keys.seed().expect("a key pair is made from its seed")
    }

    /// The public key's text.
    pub fn public(&self) -> String {
        self.keys.public_key()
    }

    /// The public key as the type of its kind; an error for the type of another kind.
    pub fn public_key<K: FromStr<Err = KeyError>>(&self) -> Result<K, KeyError> {
        self.public().parse()
    }

    /// The key as jsonwebtoken wants it: PKCS 8, which for Ed25519 is a constant and the 32 bytes of the secret.
    pub(crate) fn encoding_key(&self) -> EncodingKey {
        const PKCS8_ED25519: [u8; 16] =
            [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let (_, secret) = nkeys::decode_seed(&self.seed()).expect("our own seed");
        EncodingKey::from_ed_der(&[PKCS8_ED25519.as_slice(), &secret].concat())
    }
}

impl KeyKind {
    /// The kind of a public key's text, whose checksum must hold.
    pub fn of(public: &str) -> Option<Self> {
        nkeys::from_public_key(public).ok().and_then(|(prefix, _)| Self::of_prefix(prefix))
    }

    /// The kind whose texts start with the byte `prefix`.
    fn of_prefix(prefix: u8) -> Option<Self> {
        // The upper five bits are the letter's place in the base32 alphabet.
        match prefix {
            0x70 => Some(Self::Operator),
            0x00 => Some(Self::Account),
            0xa0 => Some(Self::User),
            0x68 => Some(Self::Host),
            0x60 => Some(Self::Actor),
            0xa8 => Some(Self::Provider),
            _ => None,
        }
    }

    fn of_nats(self) -> KeyPairType {
        match self {
            Self::Operator => KeyPairType::Operator,
            Self::Account => KeyPairType::Account,
            Self::User => KeyPairType::User,
            Self::Host => KeyPairType::Server,
            Self::Actor => KeyPairType::Module,
            Self::Provider => KeyPairType::Service,
        }
    }
}

/// A public key's text as jsonwebtoken wants it: the raw 32 bytes. None if it is not a key.
pub(crate) fn decoding_key(public: &str) -> Option<DecodingKey> {
    let (_, bytes) = nkeys::from_public_key(public).ok()?;
    Some(DecodingKey::from_ed_der(&bytes))
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyPair").field(&self.public()).finish()
    }
}

#[cfg(test)]
mod tests {
    use wattle_core::{AccountKey, HostKey};

    use super::*;

    const KINDS: [(KeyKind, char); 6] = [
        (KeyKind::Operator, 'O'),
        (KeyKind::Account, 'A'),
        (KeyKind::User, 'U'),
        (KeyKind::Host, 'N'),
        (KeyKind::Actor, 'M'),
        (KeyKind::Provider, 'V'),
    ];

    #[test]
    fn a_key_of_every_kind_survives_the_trip_through_its_seed() {
        for (kind, letter) in KINDS {
            let pair = KeyPair::generate(kind);
            let again = KeyPair::from_seed(&pair.seed()).expect("its own seed");
            assert_eq!((again.kind(), again.public()), (kind, pair.public()));
            assert!(pair.public().starts_with(letter));
            assert!(pair.seed().starts_with(&format!("S{letter}")));
            assert_eq!(KeyKind::of(&pair.public()), Some(kind));
        }
    }

    #[test]
    fn keys_of_nats_are_ours() {
        // From the tests of the Go implementation.
        let pair = KeyPair::from_seed("SAAPN4W3EG6KCJGUQTKTJ5GSB5NHK5CHAJL4DBGFUM3HHROI4XUEP4OBK4")
            .expect("a seed");
        assert_eq!(pair.public(), "ACODERUVFFAWZQDSS6SBIACUA5O6SXF7HJ3YTYXBALHZP3P7R4BUO4J2");
    }

    #[test]
    fn a_public_key_is_of_its_kind_only() {
        let pair = KeyPair::generate(KeyKind::Account);
        assert!(pair.public_key::<AccountKey>().is_ok());
        assert!(pair.public_key::<HostKey>().is_err());
    }

    #[test]
    fn what_is_not_a_seed_is_refused_and_not_quoted() {
        let seed = KeyPair::generate(KeyKind::User).seed();
        let curve = nkeys::KeyPair::new(KeyPairType::Curve).seed().expect("a seed");
        let cluster = nkeys::KeyPair::new(KeyPairType::Cluster).seed().expect("a seed");
        assert_eq!(KeyPair::from_seed(&curve).err(), Some(SeedError::Kind));
        assert_eq!(KeyPair::from_seed(&cluster).err(), Some(SeedError::Kind));
        let lower = seed.to_lowercase();
        let swapped = seed.replacen('S', "T", 1);
        let public = KeyPair::generate(KeyKind::User).public();
        for bad in ["", &seed[1..], &lower, &swapped, &public, "ä", &"S".repeat(58)] {
            let error = KeyPair::from_seed(bad).expect_err("not a seed");
            assert!(bad.is_empty() || !error.to_string().contains(bad));
        }
        let pair = KeyPair::from_seed(&seed).expect("a seed");
        assert!(!format!("{pair:?}").contains(&seed));
    }

    #[test]
    fn every_changed_character_of_a_public_key_is_noticed() {
        let public = KeyPair::generate(KeyKind::Actor).public();
        for at in 0..public.len() {
            let mut changed = public.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("base32");
            assert_eq!(KeyKind::of(&changed), None, "{changed}");
        }
    }
}
