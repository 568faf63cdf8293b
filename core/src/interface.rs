//! Interfaces and operations, as WIT names them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::name::shortened;

/// The most bytes of an interface's or an operation's name.
pub const INTERFACE_LEN_MAX: usize = 200;

/// Packages that an actor uses without a grant: its host answers, and gives away nothing but what is the actor's anyway.
const AMBIENT_PACKAGES: [&str; 9] = [
    "wasi:cli",
    "wasi:clocks",
    "wasi:config",
    "wasi:filesystem",
    "wasi:io",
    "wasi:logging",
    "wasi:random",
    "wasi:sockets",
    "wasmcloud:bus",
];

/// The same for interfaces whose package has others that need a grant: they have types, whose functions call nobody.
const AMBIENT_INTERFACES: [&str; 2] = ["wasi:blobstore/types", "wasi:http/types"];

/// A WIT interface, `namespace:package/interface`, without its version: a grant for `wasi:http/incoming-handler` covers every
/// patch version of it, because the host decides by version what it links.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interface(Box<str>);

/// Why a text is not an interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an interface: write namespace:package/interface, for example wasi:keyvalue/store"
)]
pub struct InterfaceError(String);

impl Interface {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `namespace:package`.
    pub fn package(&self) -> &str {
        self.0.split_once('/').map_or("", |(package, _)| package)
    }

    /// Whether an actor needs no grant, and nobody else, to use it.
    pub fn is_ambient(&self) -> bool {
        AMBIENT_PACKAGES.contains(&self.package()) || AMBIENT_INTERFACES.contains(&self.as_str())
    }

    /// Whether an actor that imports it needs a link, as far as the name says: what is called `types` has nothing to call.
    pub fn needs_link(&self) -> bool {
        !self.is_ambient() && self.name() != "types"
    }

    /// The part after the slash.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

impl FromStr for Interface {
    type Err = InterfaceError;

    /// Takes the name with or without a version and keeps it without.
    fn from_str(text: &str) -> Result<Self, InterfaceError> {
        let bare = text.split_once('@').map_or(text, |(bare, _)| bare);
        let parts = bare.split_once(':').and_then(|(namespace, rest)| {
            let (package, name) = rest.split_once('/')?;
            Some([namespace, package, name])
        });
        let fits = text.len() <= INTERFACE_LEN_MAX
            && parts.is_some_and(|parts| parts.iter().all(|part| is_wit_label(part)));
        if fits { Ok(Self(bare.into())) } else { Err(InterfaceError(shortened(text))) }
    }
}

fn is_wit_label(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphabetic())
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl TryFrom<String> for Interface {
    type Error = InterfaceError;

    fn try_from(text: String) -> Result<Self, InterfaceError> {
        text.parse()
    }
}

impl From<Interface> for String {
    fn from(interface: Interface) -> Self {
        interface.0.into()
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One function of an interface, as a contract's caller and provider write it: always a constant of the contract's crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    /// `namespace:package/interface`.
    pub interface: &'static str,
    /// The function's WIT name; methods as `resource.method`.
    pub function: &'static str,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.interface, self.function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_kept_without_its_version() {
        let interface: Interface = "wasi:http/incoming-handler@0.2.4".parse().expect("well formed");
        assert_eq!(interface.as_str(), "wasi:http/incoming-handler");
        assert_eq!((interface.package(), interface.name()), ("wasi:http", "incoming-handler"));
    }

    #[test]
    fn what_calls_somebody_else_is_not_ambient() {
        let is_ambient = |text: &str| text.parse::<Interface>().expect("well formed").is_ambient();
        for ambient in ["wasi:io/streams@0.2.0", "wasi:http/types", "wasi:logging/logging"] {
            assert!(is_ambient(ambient), "{ambient}");
        }
        for granted in ["wasi:http/outgoing-handler", "wasi:keyvalue/store", "wasi:io2/streams"] {
            assert!(!is_ambient(granted), "{granted}");
        }
        let needs_link = |text: &str| text.parse::<Interface>().expect("well formed").needs_link();
        assert!(needs_link("a:b/c") && !needs_link("a:b/types") && !needs_link("wasi:io/poll"));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in
            ["", "wasi:http", "http/handler", "wasi:/x", "a:b/c/d", "a:b/c.d", "a:b/ c", "a:b/*"]
        {
            assert!(bad.parse::<Interface>().is_err(), "{bad}");
        }
    }
}
