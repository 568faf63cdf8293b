//! Public keys as NATS writes them: base32 text of 56 characters whose first letter says what the key is for.
//!
//! Here they are names. Whether the checksum holds, and what a key signed, is decided in `wattle-claims`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::name::shortened;

/// Characters in a public nkey: 1 prefix byte, 32 of key and 2 of checksum in base32.
pub const KEY_LEN: usize = 56;

/// Why a text is not a public key of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not {wanted} key: it has 56 characters of A-Z and 2-7 and starts with {prefix}"
)]
pub struct KeyError {
    text: String,
    wanted: &'static str,
    prefix: char,
}

macro_rules! public_key {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The letter every such key starts with.
            pub const PREFIX: char = $prefix;

            /// The key as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = KeyError;

            fn from_str(text: &str) -> Result<Self, KeyError> {
                if is_key(text, $prefix) {
                    Ok(Self(text.into()))
                } else {
                    Err(KeyError { text: shortened(text), wanted: $wanted, prefix: $prefix })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = KeyError;

            fn try_from(text: String) -> Result<Self, KeyError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(key: $name) -> Self {
                key.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

public_key!(
    /// An operator: the root that hosts are told to trust.
    OperatorKey, 'O', "an operator's"
);
public_key!(
    /// An account: whose things they are.
    AccountKey, 'A', "an account's"
);
public_key!(
    /// A user: who gives commands.
    UserKey, 'U', "a user's"
);
public_key!(
    /// A host: one process that runs actors and providers.
    HostKey, 'N', "a host's"
);
public_key!(
    /// An actor's artifact (NATS calls the letter "module").
    ActorKey, 'M', "an actor's"
);
public_key!(
    /// A provider's artifact (NATS calls the letter "service provider").
    ProviderKey, 'V', "a provider's"
);
public_key!(
    /// A curve key: to whom secrets are sealed.
    CurveKey, 'X', "a curve"
);

fn is_key(text: &str, prefix: char) -> bool {
    text.len() == KEY_LEN
        && text.starts_with(prefix)
        && text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_one_kind_is_not_a_key_of_another() {
        let text = format!("M{}", "A".repeat(55));
        assert!(text.parse::<ActorKey>().is_ok());
        assert!(text.parse::<HostKey>().is_err());
        assert!(text[..55].parse::<ActorKey>().is_err());
        assert!(text.to_lowercase().parse::<ActorKey>().is_err());
    }
}
