//! Deployments: what a user declares is to run, and within which bounds. wadm acts on it and hosts obey only what lies within it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{
    artifact::Digest,
    control::ActorLimits,
    entity::{CodeKey, EntityId, Identity, Party},
    link::{Link, LinkConfig},
    name::{Name, shortened},
};

/// The most versions that one deployment names: the one that is to run and those that may run meanwhile.
pub const VERSIONS_MAX: usize = 4;
/// The most components, and the most links, of one version.
pub const COMPONENTS_MAX: usize = 1_000;

/// An application that is declared. It counts only inside a token of a user who may deploy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Deployment {
    /// The application: what it runs has ids `application/component`.
    pub application: Name,
    /// Whether it is to run or to go.
    pub phase: Phase,
    /// The version that is to run; behind it those that may run until it does, the last of which is gone back to if it fails.
    pub versions: Vec<Version>,
    /// How carefully the version that is to run comes in the place of the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// Whether it goes back to a version that has been healthy, from one that has not: there is nothing else to go back to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_return: bool,
    /// The tombstone of this deployment's record, signed already: put when nothing of it runs and nobody uses it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// A part of the hosts gets a new version first; the others wait whether it does well there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Canary {
    /// Percent of each component's instances; as many hosts as have no more of them, at least one.
    pub weight: u8,
    /// Seconds that it has to be well there.
    pub for_s: u32,
}

/// The most seconds that a new version may be on trial.
pub const CANARY_S_MAX: u32 = 24 * 60 * 60;

impl Canary {
    /// Whether it is one that could be meant; the error says what is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        let fits = (1..=99).contains(&self.weight) && (1..=CANARY_S_MAX).contains(&self.for_s);
        fits.then_some(()).ok_or("a canary has a weight of 1 to 99 percent, for 1s to 1d")
    }
}

/// Whether an application is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It is to run.
    Deployed,
    /// It is to go, as soon as no other application uses it.
    Undeployed,
}

/// One version of an application, with everything resolved that a manifest leaves open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Version {
    /// What it is called.
    pub name: VersionName,
    /// What it consists of.
    pub components: Vec<Component>,
    /// Who may call whom.
    #[serde(default)]
    pub links: Vec<Link>,
    /// Components of other applications that it uses: they stay as long as it is deployed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub uses: BTreeSet<EntityId>,
    /// Whether other applications may use its components.
    #[serde(default)]
    pub shared: bool,
    /// Seconds within which it has to be healthy; else the one before it is gone back to.
    #[serde(default = "healthy_within_s")]
    pub healthy_within_s: u32,
}

/// Where a manifest does not say.
pub const HEALTHY_WITHIN_S: u32 = 60;

const fn healthy_within_s() -> u32 {
    HEALTHY_WITHIN_S
}

/// An actor or a provider of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Component {
    /// The id that it runs under: `application/name`.
    pub id: EntityId,
    /// What runs.
    pub program: Program,
    /// How many run where, at most.
    pub scaler: Scaler,
    /// What an actor has to answer on each host before it counts there, until its version has been healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
}

/// A `GET` of `wasi:http/incoming-handler` that an actor answers with a status below 400 when it is healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Probe {
    /// The path, which begins with `/`.
    pub path: String,
    /// Milliseconds within which it is answered.
    pub within_ms: u32,
}

/// The most bytes of a probe's path.
pub const PROBE_PATH_LEN_MAX: usize = 1_024;
/// The most milliseconds that an answer to a probe may take: wadm waits for it as for any command.
pub const PROBE_WITHIN_MS_MAX: u32 = 5_000;

impl Probe {
    /// Whether it is one that could be made; the error says what is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        let is_path = self.path.starts_with('/') && self.path.bytes().all(|b| b.is_ascii_graphic());
        if !is_path || self.path.len() > PROBE_PATH_LEN_MAX {
            return Err("a probe's path begins with / and has at most 1024 plain characters");
        }
        if !(1..=PROBE_WITHIN_MS_MAX).contains(&self.within_ms) {
            return Err("a probe is answered within 1ms to 5s");
        }
        Ok(())
    }
}

/// What runs: code with its settings and limits. Another program under the same id replaces it; more of the same does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Program {
    /// The artifact, by content.
    pub artifact: Digest,
    /// Who its claims say that it is.
    pub identity: Identity,
    /// Its settings.
    #[serde(default)]
    pub config: LinkConfig,
    /// An actor's limits.
    #[serde(default)]
    pub limits: ActorLimits,
}

impl Program {
    /// Whether it is an actor or a provider.
    pub fn kind(&self) -> Kind {
        match self.identity.key {
            CodeKey::Actor(_) => Kind::Actor,
            CodeKey::Provider(_) | CodeKey::BuiltIn(_) => Kind::Provider,
        }
    }
}

/// What a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A Wasm component.
    Actor,
    /// A process that offers a capability.
    Provider,
}

/// How many run where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Scaler {
    /// So many in all, spread over hosts.
    Spread {
        /// Calls at once, over all hosts; of a provider, processes.
        instances: u16,
        /// How they are spread; empty is over all hosts.
        spread: Vec<Spread>,
    },
    /// So many on each host that matches.
    Daemon {
        /// On each.
        instances: u16,
        /// Which hosts; empty is all.
        spread: Vec<Spread>,
    },
}

/// A share of a scaler's instances, and the hosts that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Spread {
    /// Its name.
    pub name: String,
    /// Labels that a host needs to have.
    #[serde(default)]
    pub requirements: BTreeMap<String, String>,
    /// Its share in proportion to the others'.
    pub weight: u32,
}

impl Scaler {
    /// The most instances that one host may be told to run.
    pub const fn instances(&self) -> u16 {
        match self {
            Self::Spread { instances, .. } | Self::Daemon { instances, .. } => *instances,
        }
    }

    /// The shares; none is one over all hosts.
    pub fn shares(&self) -> &[Spread] {
        match self {
            Self::Spread { spread, .. } | Self::Daemon { spread, .. } => spread,
        }
    }

    /// Whether a host with these labels may run any of it.
    pub fn allows(&self, labels: &BTreeMap<String, String>) -> bool {
        let shares = self.shares();
        let has = |(key, value): (&String, &String)| labels.get(key) == Some(value);
        shares.is_empty() || shares.iter().any(|share| share.requirements.iter().all(has))
    }
}

/// What a version is called: 1 to 64 letters, digits, `.`, `_`, `+` and `-`, which wadm's annotations use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionName(Box<str>);

/// Why a text is not a version's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a version's name: use 1 to 64 letters, digits, '.', '_', '+' and '-'")]
pub struct VersionNameError(String);

impl VersionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VersionName {
    type Err = VersionNameError;

    fn from_str(text: &str) -> Result<Self, VersionNameError> {
        const LEN_MAX: usize = 64;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
        let fits = (1..=LEN_MAX).contains(&text.len()) && text.bytes().all(plain);
        if fits { Ok(Self(text.into())) } else { Err(VersionNameError(shortened(text))) }
    }
}

impl TryFrom<String> for VersionName {
    type Error = VersionNameError;

    fn try_from(text: String) -> Result<Self, VersionNameError> {
        text.parse()
    }
}

impl From<VersionName> for String {
    fn from(name: VersionName) -> Self {
        name.0.into()
    }
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Deployment {
    /// The version that is to run.
    pub fn version(&self) -> Option<&Version> {
        self.versions.first()
    }

    /// What is gone back to if that one fails; none where it is the first, or is itself gone back to.
    pub fn before(&self) -> Option<&Version> {
        let others = self.versions.get(1..).filter(|_| !self.is_return);
        others.and_then(<[_]>::last)
    }

    /// Whether it is one that could be meant; the error says what is wrong.
    pub fn check(&self) -> Result<(), &'static str> {
        if !(1..=VERSIONS_MAX).contains(&self.versions.len()) {
            return Err("it has from 1 to 4 versions");
        }
        if let Some(canary) = &self.canary {
            canary.check()?;
        }
        let mut names = BTreeSet::new();
        for version in &self.versions {
            if !names.insert(&version.name) {
                return Err("two of its versions have one name");
            }
            version.check(&self.application)?;
        }
        Ok(())
    }
}

impl Version {
    fn check(&self, application: &Name) -> Result<(), &'static str> {
        if self.components.len() > COMPONENTS_MAX || self.links.len() > COMPONENTS_MAX {
            return Err("a version has at most 1000 components and 1000 links");
        }
        let mut ids = BTreeSet::new();
        for component in &self.components {
            if component.id.application() != Some(application.as_str()) {
                return Err("a component's id begins with the application's name");
            }
            if !ids.insert(&component.id) {
                return Err("two of its components have one id");
            }
            if component.program.identity.key.is_built_in() {
                return Err("what is built into hosts is no component");
            }
            if let Some(probe) = &component.probe {
                probe.check()?;
                if component.program.kind() == Kind::Provider {
                    return Err("only an actor has a probe");
                }
            }
        }
        let is_known = |party: &Party| {
            let Party { id, identity } = party;
            ids.contains(id) || self.uses.contains(id) || identity.key.is_built_in()
        };
        let mut keys = BTreeSet::new();
        for link in &self.links {
            if !is_known(&link.source) || !is_known(&link.target) {
                return Err("a link leads from and to what the version has or uses");
            }
            if !ids.contains(&link.source.id) && !ids.contains(&link.target.id) {
                return Err("a link has an end in the version");
            }
            if !keys.insert(link.key()) {
                return Err("two of its links have one key");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: &[(&str, &str)]) -> BTreeMap<String, String> {
        of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_host_is_allowed_by_any_share() {
        let share = |zone: &str, weight| Spread {
            name: zone.to_owned(),
            requirements: labels(&[("zone", zone)]),
            weight,
        };
        let scaler = Scaler::Spread { instances: 3, spread: vec![share("a", 1), share("b", 2)] };
        assert!(scaler.allows(&labels(&[("zone", "b"), ("os", "linux")])));
        assert!(!scaler.allows(&labels(&[("zone", "c")])));
        assert!(!scaler.allows(&labels(&[])));
        assert!(Scaler::Daemon { instances: 1, spread: vec![] }.allows(&labels(&[])));
    }

    #[test]
    fn a_versions_name_is_short_and_plain() {
        for good in ["1", "v0.0.1-rc.1+build", &"x".repeat(64)] {
            assert_eq!(good.parse::<VersionName>().expect(good).as_str(), good);
        }
        for bad in ["", "a b", "a/b", "ä", "*", &"x".repeat(65)] {
            assert!(bad.parse::<VersionName>().is_err(), "{bad:?}");
        }
    }
}
