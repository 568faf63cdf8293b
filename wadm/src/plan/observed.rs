//! What is there: one snapshot of hosts and links.

use std::collections::{BTreeMap, BTreeSet};

use wattle_core::{Digest, EntityId, HostKey, Name, link::LinkKey};

use super::desired::Artifact;
use crate::manifest::Kind;

/// One snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The hosts that are known.
    pub hosts: BTreeMap<HostKey, Host>,
    /// The links that applications have put.
    pub links: BTreeMap<LinkKey, PutLink>,
}

/// A link that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutLink {
    /// The application that put it.
    pub application: Name,
    /// The caller.
    pub source: EntityId,
    /// The callee.
    pub target: EntityId,
    /// Whether the caller is a provider.
    pub is_traffic: bool,
    /// What it says.
    pub content: Digest,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its friendly name.
    pub name: Name,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it can be given work.
    pub state: HostState,
    /// Which hosts have been there longest without a break: 0 before 1.
    pub seniority: u32,
    /// Instances at once that it has room for, those that run included.
    pub room: u32,
    /// Artifacts that it need not fetch.
    pub cached: BTreeSet<Artifact>,
    /// What runs there.
    pub running: BTreeMap<EntityId, Running>,
    /// What it could not do a moment ago, and why: it is not asked again before that is forgotten.
    pub refused: BTreeMap<EntityId, Refused>,
}

/// Whether a host can be given work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// It can.
    Ready,
    /// It has its calls answered elsewhere.
    Draining,
    /// Nothing is heard of it: what it runs may run or not.
    Lost,
}

/// Something on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Whether it is an actor or a provider.
    pub kind: Kind,
    /// What runs.
    pub artifact: Artifact,
    /// Calls at once; of a provider 1.
    pub instances: u32,
    /// Of these, those that answer.
    pub ready: u32,
}

/// What a host could not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Of this artifact.
    pub artifact: Artifact,
    /// Why, for a person.
    pub reason: String,
}
