//! What is asked for: applications with everything resolved that a manifest leaves open.

use std::collections::{BTreeMap, BTreeSet};

use wattle_core::{Digest, EntityId, Name, link::LinkKey};

pub use wattle_core::deployment::Phase;

use super::observed::PutLink;
use crate::manifest::{Kind, Scaler};

/// All applications that are deployed, or on their way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// By name.
    pub applications: BTreeMap<Name, Application>,
}

/// One application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Whether it is to run or to go.
    pub phase: Phase,
    /// What it consists of, by the id that it runs under.
    pub components: BTreeMap<EntityId, Component>,
    /// Its links.
    pub links: BTreeMap<LinkKey, Link>,
    /// Components of other applications that it uses: they stay as long as it is deployed.
    pub uses: BTreeSet<EntityId>,
    /// Where a new version may have a part only for now.
    pub canary: Option<Canary>,
}

/// A new version on a part of the hosts, and the one before on the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Percent of a component's instances: as many hosts as have no more of them, at least one.
    pub weight: u8,
    /// What the version before consists of.
    pub before: BTreeMap<EntityId, Component>,
}

impl Application {
    /// One of which nothing is to run any more.
    pub fn ended() -> Self {
        Self {
            phase: Phase::Undeployed,
            components: BTreeMap::new(),
            links: BTreeMap::new(),
            uses: BTreeSet::new(),
            canary: None,
        }
    }
}

/// An actor or a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Which of the two.
    pub kind: Kind,
    /// What runs.
    pub artifact: Artifact,
    /// How many run where.
    pub scaler: Scaler,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Artifact {
    /// By content: this can be started.
    Digest(Digest),
    /// By name, as a manifest has it: this can be planned.
    Reference(String),
}

/// A link of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The caller.
    pub source: EntityId,
    /// The callee.
    pub target: EntityId,
    /// Whether the caller is a provider, which hands on what comes from outside: such a link is put last and deleted first.
    pub is_traffic: bool,
    /// The record that says so, by content.
    pub content: Digest,
}

impl Link {
    /// What is there once an application has put it.
    pub fn put_by(&self, application: &Name) -> PutLink {
        PutLink {
            application: application.clone(),
            source: self.source.clone(),
            target: self.target.clone(),
            is_traffic: self.is_traffic,
            content: self.content,
        }
    }
}
