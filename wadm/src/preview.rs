//! What a manifest would change, and where its components would run, without any of its images: no artifact is needed to plan.

use std::collections::BTreeMap;

use serde::Serialize;
use wattle_core::{
    AccountKey, Digest, EntityId, Identity, Link, Name,
    deployment::{Component, Kind, Version},
    entity::{CodeKey, Party},
    inventory::Inventory,
};

use crate::{
    declare::{self, Known, Resolved, Unknown},
    declared::asked,
    manifest::{Image, Manifest, Source},
    observed::{no_place, running},
    plan::{Artifact, Desired, Host, HostState, Observed, Phase, Status, plan},
};

/// What would change, and where everything would run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Preview {
    /// The application.
    pub application: Name,
    /// Its components: those of the manifest, then those that it has no more.
    pub components: Vec<PlannedComponent>,
    /// Its links, the same way.
    pub links: Vec<PlannedLink>,
}

/// A component that would run, or would no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedComponent {
    /// The id that it runs under.
    pub id: EntityId,
    /// What becomes of it.
    pub change: Change,
    /// What runs, as the manifest has it; what changes of a file shows only when it is deployed.
    pub image: String,
    /// Instances by the friendly name of their host.
    pub hosts: BTreeMap<Name, u32>,
    /// Instances that have no place, and why: a line for each share.
    pub no_place: Vec<String>,
}

/// A link that would be there, or would no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedLink {
    /// Which.
    pub link: String,
    /// What becomes of it.
    pub change: Change,
}

/// What becomes of something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is new.
    Added,
    /// It is there, and this of it changes.
    Changed(Vec<&'static str>),
    /// It is there, and stays as it is, as far as the manifest says.
    Unchanged,
    /// It goes.
    Removed,
}

/// Plans a manifest on these hosts, of which some are drained, in the place of what is deployed.
pub fn preview(
    manifest: &Manifest,
    hosts: &[(Inventory, bool)],
    account: &AccountKey,
    deployed: Option<&Version>,
) -> Result<Preview, Unknown> {
    let known = known(manifest, account);
    let name = "planned".parse().expect("it is a name");
    let version = declare::version(manifest, name, &known)?;
    let observed = observed(hosts, account);
    let placed = place(manifest, &version, &observed);
    let before = deployed.map_or(&[][..], |deployed| &deployed.components);
    let planned = version.components.iter().map(|component| {
        let status = placed.get(&component.id);
        PlannedComponent {
            id: component.id.clone(),
            change: change_of(component, before),
            image: image(manifest, &component.id),
            hosts: status.map(|status| hosts_of(status, &observed)).unwrap_or_default(),
            no_place: status.map(|it| no_place(&component.id, it, &observed)).unwrap_or_default(),
        }
    });
    let gone = before.iter().filter(|old| version.components.iter().all(|new| new.id != old.id));
    let gone = gone.map(|old| PlannedComponent {
        id: old.id.clone(),
        change: Change::Removed,
        image: String::new(),
        hosts: BTreeMap::new(),
        no_place: Vec::new(),
    });
    Ok(Preview {
        application: manifest.name.clone(),
        components: planned.chain(gone).collect(),
        links: links(&version, deployed),
    })
}

/// Somebody for everything: who it will be is known when it is fetched.
fn known(manifest: &Manifest, account: &AccountKey) -> Known {
    let mut known = Known { hosts: Some(account.clone()), ..Known::default() };
    for component in &manifest.components {
        let name = component.name.clone();
        let identity = nobody(account, component.kind);
        match &component.source {
            Source::Image(_) => {
                let artifact = Digest::from_bytes([0; 32]);
                known.images.insert(name, Resolved { artifact, identity });
            }
            Source::BuiltIn(_) => {}
            Source::Shared { application, component } => {
                let id = declare::id(application, component);
                known.shared.insert(name, Party { id, identity });
            }
        }
    }
    known
}

fn nobody(account: &AccountKey, kind: Kind) -> Identity {
    const NOBODY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let key = match kind {
        Kind::Actor => CodeKey::Actor(format!("M{NOBODY}").parse().expect("it has a key's form")),
        Kind::Provider => {
            CodeKey::Provider(format!("V{NOBODY}").parse().expect("it has a key's form"))
        }
    };
    Identity { account: account.clone(), key }
}

fn observed(hosts: &[(Inventory, bool)], account: &AccountKey) -> Observed {
    let hosts = hosts.iter().map(|(inventory, is_drained)| {
        let state = if *is_drained { HostState::Draining } else { HostState::Ready };
        let host = Host {
            name: inventory.name.clone(),
            labels: inventory.labels.clone(),
            state,
            seniority: 0,
            room: inventory.room,
            cached: Default::default(),
            running: running(inventory, account),
            refused: BTreeMap::new(),
        };
        (inventory.host.clone(), host)
    });
    Observed { hosts: hosts.collect(), links: BTreeMap::new() }
}

fn place(
    manifest: &Manifest,
    version: &Version,
    observed: &Observed,
) -> BTreeMap<EntityId, Status> {
    let mut application = asked(Phase::Deployed, version);
    for (id, component) in &mut application.components {
        component.artifact = Artifact::Reference(image(manifest, id));
    }
    // What it uses of others, they place.
    application.uses.clear();
    let applications = [(manifest.name.clone(), application)].into();
    plan(&Desired { applications }, observed).status
}

/// What runs under an id, as the manifest has it.
fn image(manifest: &Manifest, id: &EntityId) -> String {
    let is_it = |name: &Name| declare::id(&manifest.name, name) == *id;
    let component = manifest.components.iter().find(|component| is_it(&component.name));
    match component.map(|component| &component.source) {
        Some(Source::Image(Image::File(path))) => format!("file:{path}"),
        Some(Source::Image(Image::Shipped(shipped, _))) => shipped.name.to_owned(),
        Some(Source::Image(Image::Registry(reference))) => reference.clone(),
        Some(Source::BuiltIn(_) | Source::Shared { .. }) | None => String::new(),
    }
}

fn hosts_of(status: &Status, observed: &Observed) -> BTreeMap<Name, u32> {
    let hosts = status.placement.hosts.iter();
    hosts
        .filter_map(|(host, count)| Some((observed.hosts.get(host)?.name.clone(), *count)))
        .collect()
}

fn change_of(new: &Component, before: &[Component]) -> Change {
    let Some(old) = before.iter().find(|old| old.id == new.id) else { return Change::Added };
    changes([
        ("type", new.program.kind() != old.program.kind()),
        ("config", new.program.config != old.program.config),
        ("limits", new.program.limits != old.program.limits),
        ("health", new.probe != old.probe),
        ("scaler", new.scaler != old.scaler),
    ])
}

fn links(version: &Version, deployed: Option<&Version>) -> Vec<PlannedLink> {
    let before = deployed.map_or(&[][..], |deployed| &deployed.links);
    let planned = version.links.iter().map(|new| {
        let change = match before.iter().find(|old| old.key() == new.key()) {
            None => Change::Added,
            Some(old) => change_of_link(new, old),
        };
        PlannedLink { link: new.key().to_string(), change }
    });
    let is_gone = |old: &&Link| version.links.iter().all(|new| new.key() != old.key());
    let gone = before.iter().filter(is_gone);
    let gone = gone.map(|old| PlannedLink { link: old.key().to_string(), change: Change::Removed });
    planned.chain(gone).collect()
}

fn change_of_link(new: &Link, old: &Link) -> Change {
    changes([
        ("interfaces", new.interfaces != old.interfaces),
        ("locality", new.locality != old.locality),
        ("constraints", new.constraints != old.constraints),
        ("source config", new.source_config != old.source_config),
        ("target config", new.target_config != old.target_config),
    ])
}

fn changes<const N: usize>(of: [(&'static str, bool); N]) -> Change {
    let changed: Vec<&'static str> =
        of.into_iter().filter(|(_, is_other)| *is_other).map(|(what, _)| what).collect();
    if changed.is_empty() { Change::Unchanged } else { Change::Changed(changed) }
}
