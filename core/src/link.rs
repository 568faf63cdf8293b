//! A link: who may call whom, on what, within which constraints.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{entity::Party, interface::Interface, name::Name};

/// Tells several links of one caller on one interface apart; `default` unless the caller chooses another.
pub type LinkName = Name;

/// The link name that is meant where none is said.
pub const DEFAULT_LINK_NAME: &str = "default";

/// Limits on what a link allows, by name (`key-prefix`, `tables`, `allowed-hosts` …). The contract says which names it knows;
/// a name that it does not know denies.
pub type Constraints = BTreeMap<String, Vec<String>>;

/// Settings by name, as a provider or an actor reads them.
pub type Settings = BTreeMap<String, String>;

/// A grant for one caller to call one callee. It counts only inside a token of the account that owns the callee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Link {
    /// Who calls: an actor that imports, or a provider that hands on what came from outside.
    pub source: Party,
    /// Who is called.
    pub target: Party,
    /// Which of the caller's links on these interfaces this is.
    pub name: LinkName,
    /// What may be called: interfaces of one package.
    pub interfaces: Vec<Interface>,
    /// Where the callee may run.
    #[serde(default)]
    pub locality: Locality,
    /// What the callee holds the caller to.
    #[serde(default)]
    pub constraints: Constraints,
    /// Settings for the caller's side (an http-server's `address` and `path`).
    #[serde(default)]
    pub source_config: LinkConfig,
    /// Settings for the callee's side (a store's `url`).
    #[serde(default)]
    pub target_config: LinkConfig,
}

impl Link {
    /// What tells this link from every other: putting a link with the same key replaces it.
    pub fn key(&self) -> LinkKey {
        LinkKey {
            source: self.source.id.to_string(),
            target: self.target.id.to_string(),
            package: self
                .interfaces
                .first()
                .map(|interface| interface.package().to_owned())
                .unwrap_or_default(),
            name: self.name.clone(),
        }
    }
}

/// A link's key: source, target, package and link name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinkKey {
    /// The caller's id.
    pub source: String,
    /// The callee's id.
    pub target: String,
    /// `namespace:package`.
    pub package: String,
    /// The link's name.
    pub name: LinkName,
}

impl fmt::Display for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} -> {} on {} ({:?})",
            self.source,
            self.target,
            self.package,
            self.name.as_str()
        )
    }
}

/// Settings of one side of a link: named config records first, then values given in the link itself, which win.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinkConfig {
    /// Config records, in order; later ones win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub named: Vec<Name>,
    /// Values given here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, ConfigValue>,
}

/// One config value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ConfigValue {
    /// A value that anyone who can list config may read.
    Plain(String),
    /// The name of a secret, which the callee's host reads when the value is used.
    Secret {
        /// A file's name in the host's `--secrets-dir`.
        secret: Name,
    },
}

/// Where a link's callee may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Locality {
    /// On the caller's host if it runs there, else on another.
    #[default]
    Any,
    /// Only on the caller's host.
    Local,
    /// Only on another host.
    Remote,
}
