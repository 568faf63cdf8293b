//! What a host says about itself and what it runs.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    artifact::Digest,
    control::Scale,
    entity::{EntityId, Identity},
    interface::Interface,
    key::{AccountKey, HostKey},
    link::{Link, LinkKey},
    name::{LatticeName, Name},
};

/// A host and everything that runs on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inventory {
    /// The host's key.
    pub host: HostKey,
    /// Its friendly name.
    pub name: Name,
    /// The lattice it is in.
    pub lattice: LatticeName,
    /// Wattle's version.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Labels, built-in ones first: `os`, `arch`, `cores`, `memory`.
    pub labels: BTreeMap<String, String>,
    /// Its actors.
    pub actors: Vec<ActorStatus>,
    /// Its providers.
    pub providers: Vec<ProviderStatus>,
    /// What is built into it.
    #[serde(default)]
    pub built_in: Vec<BuiltInStatus>,
    /// What it refused since it started, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Sessions with other hosts, those that calls come over too.
    #[serde(default)]
    pub sessions: u32,
    /// What other hosts say that they run, as far as their claims hold here: at most 1,000 of it, and none for wadm.
    #[serde(default)]
    pub elsewhere: Vec<Elsewhere>,
    /// Links that deployments declare and that do not hold here.
    #[serde(default)]
    pub failed_links: Vec<FailedLink>,
    /// Calls at once that all its actors together have room for.
    #[serde(default)]
    pub room: u32,
    /// Artifacts on its disk.
    #[serde(default)]
    pub cached: Vec<Digest>,
    /// What its beats say as long as nothing of this has changed (see [`crate::beat::Beat::running`]).
    #[serde(default)]
    pub running: u64,
}

/// A link that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FailedLink {
    /// Whose deployment it is of.
    pub account: AccountKey,
    /// The link.
    pub link: LinkKey,
    /// Why: something of the chain of authority is missing, or a provider could not do what it asks.
    pub reason: String,
}

/// Something that runs on another host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Elsewhere {
    /// The id it runs under.
    pub id: EntityId,
    /// Who it is.
    pub identity: Identity,
    /// Where.
    pub host: HostKey,
}

/// One actor on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ActorStatus {
    /// The id it runs under.
    pub id: EntityId,
    /// Who it is.
    pub identity: Identity,
    /// The artifact it runs.
    pub artifact: Digest,
    /// The deployment's program that it is, by content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Digest>,
    /// The name in its claims.
    pub name: String,
    /// Whether its claims hold now; the reason if they do not.
    pub denied: Option<String>,
    /// How many calls at once it may take.
    pub scale: Scale,
    /// What it may call.
    pub imports: Vec<Interface>,
    /// What it answers.
    pub exports: Vec<Interface>,
    /// Calls since it started.
    pub calls: u64,
    /// Of these, how many failed, by the kind of failure.
    pub failures: BTreeMap<String, u64>,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls waiting for an instance.
    pub queued: u32,
    /// Whether its compiled code came from the cache when it was started.
    pub compiled_from_cache: bool,
}

/// One provider on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProviderStatus {
    /// The id it runs under.
    pub id: EntityId,
    /// Who it is.
    pub identity: Identity,
    /// The artifact it runs.
    pub artifact: Digest,
    /// The deployment's program that it is, by content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Digest>,
    /// The name in its claims.
    pub name: String,
    /// What it is doing.
    pub state: ProviderState,
    /// What it may call.
    pub imports: Vec<Interface>,
    /// What it answers.
    pub exports: Vec<Interface>,
    /// How often it was started again since it was first started.
    pub restarts: u32,
    /// Why it ended the last time, if it did.
    pub last_exit: Option<String>,
}

/// Something that is built into a host: it runs as long as the host does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BuiltInStatus {
    /// The id it runs under.
    pub id: EntityId,
    /// Who it is: the host's account, and which of what is built in.
    pub identity: Identity,
    /// Whether the host's claims hold now; the reason if they do not.
    pub denied: Option<String>,
    /// What it may call.
    pub imports: Vec<Interface>,
    /// What it answers.
    pub exports: Vec<Interface>,
}

/// A provider's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderState {
    /// Its process is there and has not said that it is ready.
    Starting,
    /// It serves.
    Ready {
        /// Its process.
        pid: u32,
    },
    /// It ended and is started again in a moment.
    Backoff {
        /// How often in a row it ended.
        failures: u32,
    },
    /// It keeps ending; it is tried again, seldom.
    CrashLoop {
        /// How often in a row it ended.
        failures: u32,
        /// The last lines of its stderr.
        stderr: Vec<String>,
    },
    /// Its claims do not hold (any more), so it may not run.
    Denied {
        /// Why.
        reason: String,
    },
    /// It finishes what is under way.
    Stopping,
}

impl fmt::Display for ProviderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Ready { pid } => write!(f, "ready (pid {pid})"),
            Self::Backoff { failures } => write!(f, "backoff ({failures} failures)"),
            Self::CrashLoop { failures, .. } => write!(f, "crash loop ({failures} failures)"),
            Self::Denied { reason } => write!(f, "denied: {reason}"),
            Self::Stopping => f.write_str("stopping"),
        }
    }
}

/// A link as one host sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinkStatus {
    /// The link.
    pub link: Link,
    /// Its record's generation.
    pub generation: u64,
    /// What it serves, or why it does not hold.
    pub state: LinkState,
}

/// Whether a link holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Calls over it are allowed and can be carried.
    Active {
        /// Where it listens, if it made a provider listen.
        url: Option<String>,
        /// Whether its callee is on this host.
        local: bool,
        /// The other hosts that run its callee, where the link lets it be called there.
        #[serde(default)]
        hosts: Vec<HostKey>,
    },
    /// One end does not run here (yet).
    Waiting {
        /// Which.
        missing: EntityId,
    },
    /// Something of the chain of authority is missing.
    Denied {
        /// What.
        reason: String,
    },
    /// A provider could not do what the link asks: a port is taken, a constraint unknown.
    Failed {
        /// Why.
        reason: String,
    },
}

/// The chain of authority for one question, or where it breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Explanation {
    /// Whether the call would be allowed.
    pub allowed: bool,
    /// The chain, in the order it is walked.
    pub steps: Vec<Step>,
    /// The command that would grant what is missing, where one helps.
    pub next: Option<String>,
}

/// One link of the chain of authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    /// Whether it holds.
    pub holds: bool,
    /// What was looked at and what was found.
    pub finding: String,
}

/// Some lines of a host's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogPage {
    /// The lines, oldest first.
    pub lines: Vec<LogLine>,
    /// The number of the newest line, to ask for what comes behind it.
    pub last: u64,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogLine {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// The actor or provider that wrote it; the host if absent.
    pub id: Option<EntityId>,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// What it says.
    pub message: String,
}
