//! What is built into every host: a provider without a process, whose claims are the host's own.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    entity::{CodeKey, EntityId, Identity, Party},
    interface::Interface,
    key::AccountKey,
};

/// Something that is there wherever a host is. It runs under its name, which nothing else may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuiltIn {
    /// Hands actors the secrets that their links name: `wasmcloud:secrets`.
    Secrets,
    /// Lets actors see and, as far as their links let them, command the lattice, and tells them of events: `wattle:control`.
    LatticeControl,
}

impl BuiltIn {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Secrets, Self::LatticeControl];

    /// The one that has this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|built_in| built_in.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secrets => "secrets",
            Self::LatticeControl => "lattice-control",
        }
    }

    /// The id that it runs under on every host.
    pub fn id(self) -> EntityId {
        self.name().parse().expect("it is a name")
    }

    /// Who it is on the hosts of an account: the same on each of them, so that one link is for all.
    pub fn party(self, account: AccountKey) -> Party {
        Party { id: self.id(), identity: Identity { account, key: CodeKey::BuiltIn(self) } }
    }

    /// What it calls actors on.
    pub const fn import_names(self) -> &'static [&'static str] {
        match self {
            Self::Secrets => &[],
            Self::LatticeControl => &["wattle:control/watcher"],
        }
    }

    /// What actors call it on.
    pub const fn export_names(self) -> &'static [&'static str] {
        match self {
            Self::Secrets => &["wasmcloud:secrets/store", "wasmcloud:secrets/reveal"],
            Self::LatticeControl => &["wattle:control/state", "wattle:control/commands"],
        }
    }

    /// What it calls actors on.
    pub fn imports(self) -> Vec<Interface> {
        interfaces(self.import_names())
    }

    /// What actors call it on.
    pub fn exports(self) -> Vec<Interface> {
        interfaces(self.export_names())
    }
}

fn interfaces(names: &[&str]) -> Vec<Interface> {
    names.iter().map(|name| name.parse().expect("it is an interface")).collect()
}

impl fmt::Display for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_name_and_speaks_interfaces() {
        for built_in in BuiltIn::ALL {
            assert_eq!(BuiltIn::named(built_in.id().as_str()), Some(built_in));
            assert!(!(built_in.imports().is_empty() && built_in.exports().is_empty()));
        }
        assert_eq!(BuiltIn::named("Secrets"), None);
    }
}
