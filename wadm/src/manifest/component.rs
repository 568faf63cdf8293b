//! One component.

use std::collections::HashMap;

use wattle_core::{LinkName, Name, control::ActorLimits, quantity};

use super::{
    Component, Config, Image, Kind, Probe, Scaler, Source, images,
    link::OldLink,
    node::{Node, Placed},
    reader::Reader,
    traits,
};

/// Without a scaler there is one.
const SCALER_DEFAULT: Scaler = Scaler::Spread { instances: 1, spread: Vec::new() };

/// What manifests from before components say: links that stand at the actor, and their names at the provider.
#[derive(Default)]
pub(super) struct Old {
    pub(super) links: Vec<OldLink>,
    pub(super) names: HashMap<Name, LinkName>,
}

/// What is wrong within a component is said, and the rest of it is there for the others: one mistake is one error.
pub(super) fn read(reader: &mut Reader, node: &Node, old: &mut Old) -> Option<Component> {
    let mut fields = reader.fields(node, "a component")?;
    let name = fields.need(reader, "name").and_then(|node| reader.name(node));
    let kind = fields.need(reader, "type").and_then(|node| kind(reader, node));
    let properties = fields.need(reader, "properties");
    let traits = fields.take("traits");
    fields.finish(reader);
    let properties = properties.map(|node| properties_of(reader, node, kind)).unwrap_or_default();
    let link_name = properties.link_name.clone();
    // What stands at a component without a name is checked, too, and stands for nothing.
    let (source, is_named) = match &name {
        Some(name) => (name.clone(), true),
        None => ("unnamed".parse().expect("a name"), false),
    };
    let old_links = old.links.len();
    let has_scaler = traits;
    let traits = traits::read(reader, traits, &source, old);
    if !is_named {
        old.links.truncate(old_links);
        reader.is_incomplete = true;
    }
    if let (Some(Source::Shared { application, .. }), Some(node)) = (&properties.source, has_scaler)
        && traits.scaler.is_some()
    {
        let what = format!("{application} says how many there are: a scaler is not honoured here");
        reader.warning(node, what);
    }
    let name = name?;
    if let Some(link_name) = link_name {
        old.names.insert(name.clone(), link_name);
    }
    Some(Component {
        name,
        kind: kind.unwrap_or(Kind::Actor),
        source: properties.source.unwrap_or_else(Source::unknown),
        alias: properties.alias,
        config: properties.config,
        limits: properties.limits,
        probe: properties.probe,
        scaler: traits.scaler.unwrap_or(SCALER_DEFAULT),
        links: traits.links,
        place: node.place.clone(),
    })
}

fn kind(reader: &mut Reader, node: &Node) -> Option<Kind> {
    match reader.text(node)? {
        "component" | "actor" => Some(Kind::Actor),
        "capability" => Some(Kind::Provider),
        other => {
            reader.error(node, format!("{other:?} is no type: there are component and capability"));
            None
        }
    }
}

impl Source {
    /// Of a component whose source is wrong, which was said: no manifest has this.
    pub(super) fn unknown() -> Self {
        Self::Image(Image::Registry(String::new()))
    }
}

#[derive(Default)]
struct Properties {
    source: Option<Source>,
    alias: Option<Placed<Name>>,
    config: Vec<Config>,
    limits: ActorLimits,
    probe: Option<Probe>,
    link_name: Option<LinkName>,
}

fn properties_of(reader: &mut Reader, node: &Node, kind: Option<Kind>) -> Properties {
    let Some(mut fields) = reader.fields(node, "properties") else { return Properties::default() };
    let image = fields.take("image");
    let application = fields.take("application");
    let alias = fields
        .take("id")
        .and_then(|node| Some(Placed { value: reader.name(node)?, place: node.place.clone() }));
    let own_config = fields.take("config");
    let config = configs(reader, &[own_config]);
    if let (Some(node), Some(_)) = (own_config, application) {
        reader.warning(node, "who shares it gives it its config: this is not honoured");
    }
    let limits = match (fields.take("limits"), kind) {
        (Some(node), _) if application.is_some() => {
            reader.warning(node, "who shares it says its limits: these are not honoured");
            ActorLimits::default()
        }
        (Some(node), Some(Kind::Provider)) => {
            reader.warning(node, "limits are an actor's: they are not honoured here");
            ActorLimits::default()
        }
        (Some(node), _) => limits(reader, node),
        (None, _) => ActorLimits::default(),
    };
    let probe = match (fields.take("health"), kind) {
        (Some(node), _) if application.is_some() => {
            reader.warning(node, "who shares it says how it is probed: this is not honoured");
            None
        }
        (Some(node), Some(Kind::Provider)) => {
            reader.warning(node, "a provider says itself when it is ready: this is not honoured");
            None
        }
        (Some(node), _) => probe(reader, node),
        (None, _) => None,
    };
    secrets(reader, fields.take("secrets"));
    if let Some(node) = fields.take("contract") {
        reader.warning(node, "claims say what a provider serves: this is not needed");
    }
    let link_name = fields.take("link_name").and_then(|node| {
        reader.warning(node, "links say their name: this one is for linkdef traits alone");
        reader.reference(node)
    });
    fields.finish(reader);
    let source = match (image, application) {
        (Some(image), None) => {
            kind.and_then(|kind| images::read(reader, image, kind)).map(Source::Image)
        }
        (None, Some(application)) => shared(reader, application),
        (Some(_), Some(other)) => {
            reader.error(other, "a component has either an image or an application");
            None
        }
        (None, None) => {
            reader
                .error(node, "properties needs image, or application for what another one shares");
            None
        }
    };
    Properties { source, alias, config, limits, probe, link_name }
}

fn shared(reader: &mut Reader, node: &Node) -> Option<Source> {
    let mut fields = reader.fields(node, "application")?;
    let application = fields.need(reader, "name").and_then(|node| reader.reference(node));
    let component = fields.need(reader, "component").and_then(|node| reader.reference(node));
    fields.finish(reader);
    Some(Source::Shared { application: application?, component: component? })
}

fn limits(reader: &mut Reader, node: &Node) -> ActorLimits {
    let Some(mut fields) = reader.fields(node, "limits") else { return ActorLimits::default() };
    let memory_bytes = fields.take("memory").and_then(|n| reader.understood(n, memory));
    let queue = fields.take("queue").and_then(|n| reader.parsed(n, "a number of calls"));
    let deadline_ms = fields.take("deadline").and_then(|n| reader.understood(n, deadline_ms));
    fields.finish(reader);
    ActorLimits { memory_bytes, queue, deadline_ms }
}

/// What an actor has to answer.
fn probe(reader: &mut Reader, node: &Node) -> Option<Probe> {
    const WITHIN_MS: u32 = 1_000;
    let mut fields = reader.fields(node, "health")?;
    let path = fields.need(reader, "path").and_then(|node| reader.text(node));
    let within = fields.take("timeout").and_then(|node| reader.understood(node, deadline_ms));
    fields.finish(reader);
    let probe = Probe { path: path?.to_owned(), within_ms: within.unwrap_or(WITHIN_MS) };
    probe.check().map_err(|what| reader.error(node, what)).ok()?;
    Some(probe)
}

/// Linear memory comes in pages of 64 KiB, of which there are at most 65,536.
fn memory(text: &str) -> Result<u64, String> {
    let bytes = quantity::bytes(text).map_err(|error| error.to_string())?;
    let fits = (64 << 10..=4 << 30).contains(&bytes);
    fits.then_some(bytes).ok_or_else(|| "an instance has from 64KiB to 4GiB".to_owned())
}

fn deadline_ms(text: &str) -> Result<u32, String> {
    let time = quantity::duration(text).map_err(|error| error.to_string())?;
    let ms = u32::try_from(time.as_millis()).ok().filter(|ms| *ms > 0);
    ms.ok_or_else(|| "a deadline is from 1ms to 49d".to_owned())
}

/// wasmCloud's secrets, which its policies say where to find. Ours stand where the setting stands.
pub(super) fn secrets(reader: &mut Reader, node: Option<&Node>) {
    for secret in node.map_or(&[][..], |node| reader.list(node)) {
        reader.warning_with_help(
            secret,
            "secrets of wasmCloud's policies are not honoured",
            "give the setting that needs it as {secret: NAME}: hosts read it from their --secrets-dir",
        );
    }
}

/// Lists of settings, each under a name.
pub(super) fn configs(reader: &mut Reader, lists: &[Option<&Node>]) -> Vec<Config> {
    let mut configs: Vec<Config> = Vec::new();
    let mut at: HashMap<Name, usize> = HashMap::new();
    let nodes: Vec<&Node> = lists.iter().flatten().flat_map(|list| reader.list(list)).collect();
    for node in nodes {
        let Some(config) = config(reader, node) else { continue };
        match at.get(&config.name) {
            Some(&first) if configs[first] == config => {
                reader.warning(node, format!("config {} is given twice", config.name));
            }
            Some(_) => {
                let what = format!("config {} is given twice, and not the same", config.name);
                reader.error(node, what);
            }
            None => {
                at.insert(config.name.clone(), configs.len());
                configs.push(config);
            }
        }
    }
    configs
}

fn config(reader: &mut Reader, node: &Node) -> Option<Config> {
    let mut fields = reader.fields(node, "config")?;
    let name = fields.need(reader, "name").and_then(|node| reader.name(node));
    let properties = fields.take("properties").map(|node| reader.settings(node));
    fields.finish(reader);
    Some(Config { name: name?, properties })
}
