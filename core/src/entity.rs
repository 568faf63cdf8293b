//! What runs: its id on the lattice, and its identity.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    built_in::BuiltIn,
    key::{AccountKey, ActorKey, ProviderKey},
    name::{Name, NameError, shortened},
};

/// The id something runs under: `name`, or `application/name` for what a manifest declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntityId(Box<str>);

impl EntityId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The application that declares it, if one does.
    pub fn application(&self) -> Option<&str> {
        self.0.split_once('/').map(|(application, _)| application)
    }
}

impl FromStr for EntityId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (application, name) = match text.split_once('/') {
            Some((application, name)) => (Some(application), name),
            None => (None, text),
        };
        let parts_are_names = application.is_none_or(|part| part.parse::<Name>().is_ok())
            && name.parse::<Name>().is_ok();
        if parts_are_names { Ok(Self(text.into())) } else { Err(NameError(shortened(text))) }
    }
}

impl TryFrom<String> for EntityId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<EntityId> for String {
    fn from(id: EntityId) -> Self {
        id.0.into()
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which code something is: the key its claims are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeKey {
    /// A Wasm component.
    Actor(ActorKey),
    /// A provider's artifact.
    Provider(ProviderKey),
    /// What is built into hosts, and has no key but theirs.
    BuiltIn(BuiltIn),
}

impl CodeKey {
    /// Whether it is part of each host.
    pub const fn is_built_in(&self) -> bool {
        matches!(self, Self::BuiltIn(_))
    }
}

impl fmt::Display for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Actor(key) => key.fmt(f),
            Self::Provider(key) => key.fmt(f),
            Self::BuiltIn(_) => f.write_str("built into its hosts"),
        }
    }
}

/// Who something is: another account's signature on the same key is another identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Identity {
    /// The account that signed the claims.
    pub account: AccountKey,
    /// The key that the claims are about.
    pub key: CodeKey,
}

/// One end of a link: an id, and the identity that has to stand behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Party {
    /// The id that it runs under.
    pub id: EntityId,
    /// Who it must be.
    pub identity: Identity,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let CodeKey::BuiltIn(_) = self.identity.key {
            return write!(f, "{} (built in)", self.id);
        }
        let key = self.identity.key.to_string();
        write!(f, "{} ({}…)", self.id, key.get(..8).unwrap_or(&key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_name_or_an_application_and_a_name() {
        for good in ["counter", "shop/cart"] {
            assert!(good.parse::<EntityId>().is_ok(), "{good}");
        }
        for bad in ["", "/", "shop/", "/cart", "a/b/c", "Shop/cart", "a.b"] {
            assert!(bad.parse::<EntityId>().is_err(), "{bad}");
        }
    }
}
