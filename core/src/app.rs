//! The interface of wadm: what may be asked about declared applications, and what it answers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    deployment::{Kind, Phase, VersionName},
    entity::EntityId,
    key::HostKey,
    name::Name,
};

/// What wadm is asked. It travels in a token that a user signed, on the subject of its verb.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum AppRequest {
    /// Take a deployment. Done when it is in the lattice's store: how it goes on, `Status` says.
    Put {
        /// Its record, or the tombstone of one, as a user signed it.
        deployment: String,
    },
    /// How all applications stand.
    List,
    /// How one stands.
    Status {
        /// Which.
        application: Name,
    },
    /// Its deployment, as it was signed.
    Get {
        /// Which.
        application: Name,
    },
    /// The versions of it that the lattice keeps.
    History {
        /// Which.
        application: Name,
    },
    /// One of them.
    Version {
        /// Of which application.
        application: Name,
        /// Which.
        version: VersionName,
    },
}

impl AppRequest {
    /// The last token of the subject that it is asked on.
    pub fn verb(&self) -> Name {
        let verb = match self {
            Self::Put { .. } => "put",
            Self::List => "list",
            Self::Status { .. } => "status",
            Self::Get { .. } => "get",
            Self::History { .. } => "history",
            Self::Version { .. } => "version",
        };
        verb.parse().expect("verbs are names")
    }
}

/// How an application stands, as wadm sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ApplicationStatus {
    /// Its name.
    pub application: Name,
    /// Whether it is to run or to go.
    pub phase: Phase,
    /// The generation of the deployment's record that this is about.
    pub generation: u64,
    /// The version that is being run.
    pub version: VersionName,
    /// How it stands.
    pub state: ApplicationState,
    /// What of it is to run, and what of it does.
    pub components: Vec<ComponentStatus>,
    /// Why the version that was asked for is not begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
    /// Deployed applications that use something of it.
    #[serde(default)]
    pub used_by: BTreeSet<Name>,
    /// Links that do not hold, and why, by what they are.
    pub failed_links: BTreeMap<String, String>,
}

/// The same in short: of many applications at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ApplicationSummary {
    /// Its name.
    pub application: Name,
    /// Whether it is to run or to go.
    pub phase: Phase,
    /// The version that is being run.
    pub version: VersionName,
    /// How it stands.
    pub state: ApplicationState,
    /// Whether deployed applications use something of it.
    pub is_used: bool,
    /// Components that it has.
    pub components: u32,
    /// Instances that are to be, of all of them.
    pub wanted: u32,
    /// Instances that answer.
    pub ready: u32,
    /// Things that do not work: its status says which.
    pub problems: u32,
}

/// How an application stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum ApplicationState {
    /// Everything that is to run answers, and its links hold. Of an undeployed one: nothing of it runs.
    Settled,
    /// wadm is at it.
    Changing,
    /// The version that was asked for answers on its canary's part of the hosts, and goes further if it goes on doing so.
    Canary,
    /// Something does not work, and wadm tries it again.
    Failing,
    /// The version that was asked for was given up, and wadm went back to the one before.
    GivenUp {
        /// The version that was asked for.
        version: VersionName,
        /// Why.
        reason: String,
    },
}

/// A deployment as a user signed it, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignedDeployment {
    /// Its record's token.
    pub token: String,
    /// The version that is being run; none where it has ended.
    pub version: Option<VersionName>,
    /// Whether that version has been healthy.
    pub healthy: bool,
}

/// The versions of an application that the lattice keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct History {
    /// The newest of them, newest first.
    pub versions: Vec<PastVersion>,
    /// How many older ones there are.
    pub older: u64,
    /// The one that is being run; none where the deployment has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<VersionName>,
}

/// A version that was deployed at some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PastVersion {
    /// What it is called.
    pub version: VersionName,
    /// When it was first deployed: RFC 3339, UTC.
    pub signed_at: String,
    /// The user who did: name, or key where no name is known.
    pub signed_by: String,
    /// Why it cannot be gone back to, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<String>,
}

/// How one component stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ComponentStatus {
    /// The id that it runs under.
    pub id: EntityId,
    /// What it is.
    pub kind: Kind,
    /// Instances that are to be.
    pub wanted: u32,
    /// Instances that answer.
    pub ready: u32,
    /// Where they are.
    pub hosts: Vec<HostStatus>,
    /// What became of each share of its scaler.
    pub shares: Vec<ShareStatus>,
}

/// A component on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostStatus {
    /// The host.
    pub host: HostKey,
    /// Its friendly name.
    pub name: Name,
    /// Instances that are to be there.
    pub wanted: u32,
    /// Instances that answer there.
    pub ready: u32,
    /// What went wrong there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One share of a scaler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShareStatus {
    /// Its name; empty where the scaler has none.
    pub name: String,
    /// Instances that are to be.
    pub wanted: u32,
    /// Of these, on hosts that are its own.
    pub placed: u32,
    /// Of the rest, on hosts of other shares.
    pub elsewhere: u32,
    /// Why the rest are not on its own, by the host's friendly name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub why: BTreeMap<Name, String>,
}

impl ComponentStatus {
    /// Instances that have no place.
    pub fn missing(&self) -> u32 {
        self.shares.iter().fold(0, |missing, share| missing.saturating_add(share.missing()))
    }
}

impl ShareStatus {
    /// Instances that have no place.
    pub const fn missing(&self) -> u32 {
        self.wanted.saturating_sub(self.placed.saturating_add(self.elsewhere))
    }

    /// What a person is told of them, if there are any.
    pub fn problem(&self, id: &EntityId) -> Option<String> {
        let missing = self.missing();
        if missing == 0 {
            return None;
        }
        let why: Vec<String> =
            self.why.iter().map(|(host, why)| format!("{host}: {why}")).collect();
        let why = if why.is_empty() { "there is no host".to_owned() } else { why.join(", ") };
        let of = match self.name.as_str() {
            "" => String::new(),
            name => format!(" of spread {name}"),
        };
        Some(format!("{id}: no place for {missing} instances{of} ({why})"))
    }
}

impl ApplicationStatus {
    /// In short.
    pub fn summary(&self) -> ApplicationSummary {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        ApplicationSummary {
            application: self.application.clone(),
            phase: self.phase,
            version: self.version.clone(),
            state: self.state.clone(),
            is_used: !self.used_by.is_empty(),
            components: count(self.components.len()),
            wanted: self.components.iter().map(|component| component.wanted).sum(),
            ready: self.components.iter().map(|component| component.ready).sum(),
            problems: count(self.problems().len()),
        }
    }

    /// Instances that have no place.
    pub fn missing(&self) -> u32 {
        self.components.iter().fold(0, |missing, it| missing.saturating_add(it.missing()))
    }

    /// Everything that went wrong, a line each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.held.clone();
        for component in &self.components {
            for host in &component.hosts {
                if let Some(problem) = &host.problem {
                    problems.push(format!("{} on {}: {problem}", component.id, host.name));
                }
            }
            let shares = component.shares.iter();
            problems.extend(shares.filter_map(|share| share.problem(&component.id)));
        }
        problems.extend(self.failed_links.iter().map(|(link, why)| format!("{link}: {why}")));
        problems
    }
}
