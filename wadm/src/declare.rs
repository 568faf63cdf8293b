//! From a manifest to a version that a user can sign: everything resolved that the manifest leaves open.

use std::collections::{BTreeMap, BTreeSet};

use wattle_core::{
    AccountKey, Digest, EntityId, Identity, Link, Name,
    deployment::{Component, HEALTHY_WITHIN_S, Program, Version, VersionName},
    entity::Party,
    link::LinkConfig,
};

use crate::manifest::{self, Config, Manifest, Source};

/// What an image turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The artifact, by content.
    pub artifact: Digest,
    /// Who its claims say that it is.
    pub identity: Identity,
}

/// What is known of what a manifest names.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// By component, what its image is.
    pub images: BTreeMap<Name, Resolved>,
    /// By component, what another application shares.
    pub shared: BTreeMap<Name, Party>,
    /// The account of the hosts, whose what is built into them is.
    pub hosts: Option<AccountKey>,
}

/// A component of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing is known of what {0} is")]
pub struct Unknown(pub Name);

/// The id that a component of an application runs under.
pub fn id(application: &Name, component: &Name) -> EntityId {
    format!("{application}/{component}").parse().expect("two names make an id")
}

/// What the manifest declares, under this name.
pub fn version(manifest: &Manifest, name: VersionName, known: &Known) -> Result<Version, Unknown> {
    let (mut components, mut uses) = (Vec::new(), BTreeSet::new());
    let mut parties: BTreeMap<&Name, Party> = BTreeMap::new();
    for component in &manifest.components {
        let unknown = || Unknown(component.name.clone());
        match &component.source {
            Source::Image(_) => {
                let resolved = known.images.get(&component.name).ok_or_else(unknown)?;
                let id = id(&manifest.name, &component.name);
                let program = Program {
                    artifact: resolved.artifact,
                    identity: resolved.identity.clone(),
                    config: config(&component.config),
                    limits: component.limits,
                };
                let party = Party { id: id.clone(), identity: resolved.identity.clone() };
                parties.insert(&component.name, party);
                let (scaler, probe) = (component.scaler.clone(), component.probe.clone());
                components.push(Component { id, program, scaler, probe });
            }
            Source::BuiltIn(built_in) => {
                let account = known.hosts.clone().ok_or_else(unknown)?;
                parties.insert(&component.name, built_in.party(account));
            }
            Source::Shared { .. } => {
                let party = known.shared.get(&component.name).ok_or_else(unknown)?;
                uses.insert(party.id.clone());
                parties.insert(&component.name, party.clone());
            }
        }
    }
    let party = |name: &Name| parties.get(name).cloned().ok_or_else(|| Unknown(name.clone()));
    let links = manifest.components.iter().flat_map(|component| &component.links);
    let links: Result<Vec<Link>, Unknown> = links
        .map(|link| Ok(self::link(link, party(&link.source)?, party(&link.target.value)?)))
        .collect();
    Ok(Version {
        name,
        components,
        links: links?,
        uses,
        shared: manifest.shared,
        healthy_within_s: manifest.healthy_within_s.unwrap_or(HEALTHY_WITHIN_S),
    })
}

fn link(link: &manifest::Link, source: Party, target: Party) -> Link {
    Link {
        source,
        target,
        name: link.name.clone(),
        interfaces: link.interfaces.iter().map(|interface| interface.value.clone()).collect(),
        locality: link.locality,
        constraints: link.constraints.clone(),
        source_config: config(&link.source_config),
        target_config: config(&link.target_config),
    }
}

/// Records that the lattice has by name, and what the manifest says itself, which wins.
fn config(configs: &[Config]) -> LinkConfig {
    let mut config = LinkConfig::default();
    for one in configs {
        match &one.properties {
            None => config.named.push(one.name.clone()),
            Some(properties) => {
                let values = properties.iter();
                config.values.extend(values.map(|(key, value)| (key.clone(), value.value.clone())));
            }
        }
    }
    config
}
