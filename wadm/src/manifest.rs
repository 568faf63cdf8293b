//! Manifests: OAM applications (`core.oam.dev/v1beta1`) as wasmCloud's users have them, and what Wattle adds as optional fields.
//!
//! A manifest is read whole, whatever is wrong with it: everything that is not honoured is a finding with its place.

mod check;
mod component;
mod finding;
mod images;
mod link;
mod node;
mod reader;
#[expect(dead_code, clippy::large_enum_variant, reason = "of these types only the schema is used")]
mod schema;
mod traits;

use std::collections::BTreeMap;

use wattle_core::{
    BuiltIn, Interface, LinkName, Locality, Name,
    control::ActorLimits,
    deployment::VersionName,
    link::{ConfigValue, Constraints},
    quantity,
};

use self::{component::Old, node::Node, reader::Reader};
pub use wattle_core::deployment::{Canary, Kind, Probe, Scaler, Spread};

pub use self::{
    finding::{Finding, Severity},
    images::{Image, Shipped, Spelling},
    node::{Place, Placed, TEXT_LEN_MAX},
    schema::schema,
};

const API_VERSION: &str = "core.oam.dev/v1beta1";
const KIND: &str = "Application";

/// The annotation that names the version.
const VERSION: &str = "version";

/// The annotation by which an application lets others use what it runs, as wasmCloud's users write it.
const SHARED: &str = "experimental.wasmcloud.dev/shared";

/// An application as its manifest declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The application's name.
    pub name: Name,
    /// The annotation `version`, where there is one.
    pub version: Option<String>,
    /// All annotations, as they stand there.
    pub annotations: BTreeMap<String, String>,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// Whether other applications may refer to its components.
    pub shared: bool,
    /// Seconds within which a version has to be healthy, where it says so; else the one before it runs again.
    pub healthy_within_s: Option<u32>,
    /// The part of the hosts that a new version comes to first.
    pub canary: Option<Canary>,
    /// What it consists of.
    pub components: Vec<Component>,
}

/// An actor or a provider of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its name within the application; it runs as `application/name`.
    pub name: Name,
    /// Whether it is an actor or a provider.
    pub kind: Kind,
    /// What runs.
    pub source: Source,
    /// The id that it had under wasmCloud: an alias for its name.
    pub alias: Option<Placed<Name>>,
    /// Its settings.
    pub config: Vec<Config>,
    /// An actor's limits, where they are not to be the host's.
    pub limits: ActorLimits,
    /// What an actor has to answer before it counts.
    pub probe: Option<Probe>,
    /// How many run where.
    pub scaler: Scaler,
    /// Whom it calls.
    pub links: Vec<Link>,
    /// Where it stands.
    pub place: Place,
}

/// Where a component comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An artifact.
    Image(Image),
    /// A part of every host.
    BuiltIn(BuiltIn),
    /// What another application shares.
    Shared {
        /// That application.
        application: Name,
        /// Its component.
        component: Name,
    },
}

/// Settings by name; each stands where its name does.
pub type Properties = BTreeMap<String, Placed<ConfigValue>>;

/// Settings: a config record of the lattice, or one that the manifest gives itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its name.
    pub name: Name,
    /// The settings; `None` where the lattice has the record already.
    pub properties: Option<Properties>,
}

/// A link from the component at which it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The component that calls.
    pub source: Name,
    /// The component that is called.
    pub target: Placed<Name>,
    /// Interfaces of one package.
    pub interfaces: Vec<Placed<Interface>>,
    /// Which of the caller's links on these interfaces this is.
    pub name: LinkName,
    /// Settings of the caller's side.
    pub source_config: Vec<Config>,
    /// Settings of the callee's side.
    pub target_config: Vec<Config>,
    /// Where the callee may run.
    pub locality: Locality,
    /// What the callee holds the caller to.
    pub constraints: Constraints,
    /// Where it stands.
    pub place: Place,
}

/// What reading a manifest gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The application, if there is no error.
    pub manifest: Option<Manifest>,
    /// What is to be said, from top to bottom.
    pub findings: Vec<Finding>,
    /// How much more there would be to say.
    pub unsaid: usize,
}

/// Reads a manifest.
pub fn read(text: &str) -> Reading {
    let mut reader = Reader::default();
    let manifest = match node::parse(text) {
        Ok(root) => application(&mut reader, &root),
        Err(finding) => {
            reader.findings.push(finding);
            None
        }
    };
    let manifest = manifest.filter(|_| !reader.findings.failed());
    let (findings, unsaid) = reader.findings.finish();
    Reading { manifest, findings, unsaid }
}

fn application(reader: &mut Reader, root: &Node) -> Option<Manifest> {
    let mut fields = reader.fields(root, "a manifest")?;
    for (name, expected) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        let Some(node) = fields.need(reader, name) else { continue };
        if reader.text(node).is_some_and(|text| text != expected) {
            reader.error(node, format!("{name} has to be {expected}"));
        }
    }
    let metadata = fields.need(reader, "metadata");
    let spec = fields.need(reader, "spec");
    fields.finish(reader);
    let metadata = metadata.and_then(|node| reader.fields(node, "metadata"));
    let spec = spec.and_then(|node| reader.fields(node, "spec"));

    let (mut name, mut annotations, mut labels) = (None, BTreeMap::new(), BTreeMap::new());
    if let Some(mut metadata) = metadata {
        name = metadata.need(reader, "name").and_then(|node| reader.name(node));
        annotations =
            metadata.take("annotations").map_or_else(BTreeMap::new, |n| annotations_of(reader, n));
        labels = metadata.take("labels").map_or_else(BTreeMap::new, |n| reader.texts(n));
        metadata.finish(reader);
    }
    let (mut components, mut old) = (Vec::new(), Old::default());
    let (mut healthy_within_s, mut canary) = (None, None);
    if let Some(mut spec) = spec {
        if let Some(node) = spec.take("rollout") {
            (healthy_within_s, canary) = rollout(reader, node);
        }
        if let Some(node) = spec.take("policies") {
            for policy in reader.list(node) {
                reader.warning(policy, "policies are not honoured: hosts read secrets themselves");
            }
        }
        let nodes = spec.need(reader, "components").map(|node| (node, reader.list(node)));
        spec.finish(reader);
        if let Some((node, nodes)) = nodes {
            if nodes.is_empty() {
                reader.error(node, "an application has at least one component");
            }
            for node in nodes {
                components.extend(component::read(reader, node, &mut old));
            }
        }
    }
    check::all(reader, &mut components, old);
    Some(Manifest {
        name: name?,
        version: annotations.get(VERSION).cloned(),
        shared: annotations.get(SHARED).is_some_and(|shared| is_true(shared)),
        annotations,
        labels,
        healthy_within_s,
        canary,
        components,
    })
}

/// How a version comes in the place of another: within which time it has to be healthy, and where it comes first.
fn rollout(reader: &mut Reader, node: &Node) -> (Option<u32>, Option<Canary>) {
    let Some(mut fields) = reader.fields(node, "rollout") else { return (None, None) };
    let timeout = fields.take("timeout").and_then(|node| reader.understood(node, timeout_s));
    let canary = fields.take("canary").and_then(|node| canary(reader, node));
    fields.finish(reader);
    (timeout, canary)
}

fn canary(reader: &mut Reader, node: &Node) -> Option<Canary> {
    const FOR_S: u32 = 60;
    let mut fields = reader.fields(node, "canary")?;
    let weight = fields.need(reader, "weight");
    let weight = weight.and_then(|node| reader.parsed(node, "a percentage"));
    let for_s = fields.take("for").map_or(Some(FOR_S), |node| reader.understood(node, seconds));
    fields.finish(reader);
    let canary = Canary { weight: weight?, for_s: for_s? };
    canary.check().map_err(|what| reader.error(node, what)).ok()?;
    Some(canary)
}

fn timeout_s(text: &str) -> Result<u32, String> {
    const MAX_S: u32 = 24 * 60 * 60;
    let s = seconds(text)?;
    let fits = (1..=MAX_S).contains(&s);
    fits.then_some(s).ok_or_else(|| "a version has from 1s to 1d to become healthy".to_owned())
}

fn seconds(text: &str) -> Result<u32, String> {
    let time = quantity::duration(text).map_err(|error| error.to_string())?;
    Ok(u32::try_from(time.as_secs()).unwrap_or(u32::MAX))
}

fn annotations_of(reader: &mut Reader, node: &Node) -> BTreeMap<String, String> {
    for (key, value) in reader.entries(node) {
        if key.text == VERSION {
            let _: Option<VersionName> = reader.understood(value, str::parse);
        }
        if let node::Value::Text(text) = &value.value
            && key.text == SHARED
            && !is_true(text)
            && !matches!(text.as_str(), "false" | "False" | "FALSE")
        {
            reader.warning(value, "this is neither true nor false: nothing is shared");
        }
    }
    reader.texts(node)
}

fn is_true(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE")
}

#[cfg(test)]
mod tests;
