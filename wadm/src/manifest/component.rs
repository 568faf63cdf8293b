//! One component.

use std::collections::HashMap;

use wattle_core::{BuiltIn, LinkName, Name, control::ActorLimits, link::ConfigValue, quantity};

use super::{
    Component, Config, Finding, Image, Kind, Probe, Scaler, Source, images,
    link::OldLink,
    node::{Node, Place, Placed},
    reader::Reader,
    traits,
};

/// Without a scaler there is one.
const SCALER_DEFAULT: Scaler = Scaler::Spread { instances: 1, spread: Vec::new() };

/// What stands for links in other words: what manifests from before components say, at the actor, with its names at the provider.
#[derive(Default)]
pub(super) struct Old {
    pub(super) links: Vec<OldLink>,
    pub(super) names: HashMap<Name, LinkName>,
    /// Not old, and a link all the same.
    pub(super) secrets: Vec<OwnSecrets>,
}

/// The secrets that an actor names where it stands.
pub(super) struct OwnSecrets {
    pub(super) source: Name,
    pub(super) values: super::Properties,
    pub(super) place: Place,
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
    if let (Some(Source::BuiltIn(built_in)), Some(node)) = (&properties.source, has_scaler)
        && traits.scaler.is_some()
    {
        let what = format!("{built_in} is on every host: a scaler is not honoured here");
        reader.warning(node, what);
    }
    let name = name?;
    if let Some((values, place)) = properties.secrets {
        old.secrets.push(OwnSecrets { source: name.clone(), values, place });
    }
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
    secrets: Option<(super::Properties, Place)>,
    link_name: Option<LinkName>,
}

fn properties_of(reader: &mut Reader, node: &Node, kind: Option<Kind>) -> Properties {
    let Some(mut fields) = reader.fields(node, "properties") else { return Properties::default() };
    let image = fields.take("image");
    let application = fields.take("application");
    let built_in = fields.take("built-in");
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
    let secrets = match (fields.take("secrets"), kind) {
        (Some(node), Some(Kind::Actor)) if application.is_none() => {
            Some((own_secrets(reader, node), node.place.clone()))
        }
        (node, _) => {
            secrets(reader, node);
            None
        }
    };
    if let Some(node) = fields.take("contract") {
        reader.warning(node, "claims say what a provider serves: this is not needed");
    }
    let link_name = fields.take("link_name").and_then(|node| {
        reader.warning(node, "links say their name: this one is for linkdef traits alone");
        reader.reference(node)
    });
    fields.finish(reader);
    let source = match (image, application, built_in) {
        (Some(image), None, None) => {
            kind.and_then(|kind| images::read(reader, image, kind)).map(Source::Image)
        }
        (None, Some(application), None) => shared(reader, application),
        (None, None, Some(node)) => {
            if let Some(node) = own_config {
                reader.warning(node, "what is built into hosts has no config: it is not honoured");
            }
            self::built_in(reader, node, kind)
        }
        (image, application, built_in @ Some(_))
        | (image @ Some(_), application @ Some(_), built_in) => {
            if let Some(node) = built_in.or(application).or(image) {
                reader.error(node, "a component has one of image, application and built-in");
            }
            None
        }
        (None, None, None) => {
            reader
                .error(node, "properties needs image, or application for what another one shares");
            None
        }
    };
    Properties { source, alias, config, limits, probe, secrets, link_name }
}

fn built_in(reader: &mut Reader, node: &Node, kind: Option<Kind>) -> Option<Source> {
    let text = reader.text(node)?;
    let Some(found) = BuiltIn::named(text) else {
        let known: Vec<&str> = BuiltIn::ALL.iter().map(|it| it.name()).collect();
        let what = format!("{text:?} is not built into hosts: there is {}", known.join(", "));
        reader.error(node, what);
        return None;
    };
    if kind == Some(Kind::Actor) {
        let what = format!("{found} is a provider");
        reader.findings.push(Finding::error(&node.place, what).with_help("write type: capability"));
    }
    Some(Source::BuiltIn(found))
}

/// The secrets that an actor gets, as wasmCloud's manifests name them: each by what the actor calls it, with the name that hosts know it
/// by as its key.
fn own_secrets(reader: &mut Reader, node: &Node) -> super::Properties {
    let mut values = super::Properties::new();
    for node in reader.list(node) {
        let Some(mut fields) = reader.fields(node, "a secret of an actor") else { continue };
        let name = fields.need(reader, "name").and_then(|node| Some((node, reader.text(node)?)));
        let kept = fields.take("properties");
        fields.finish(reader);
        let kept = kept.map_or(Some(None), |node| key_of(reader, node));
        let (Some((at, name)), Some(key)) = (name, kept) else { continue };
        let Some(secret) = reader.name(key.unwrap_or(at)) else { continue };
        let value = Placed { value: ConfigValue::Secret { secret }, place: at.place.clone() };
        if values.insert(name.to_owned(), value).is_some() {
            reader.error(at, format!("the secret {name:?} is there twice"));
        }
    }
    values
}

/// Under which key a secret is kept, where it says so.
fn key_of<'a>(reader: &mut Reader, node: &'a Node) -> Option<Option<&'a Node>> {
    let mut fields = reader.fields(node, "a secret's properties")?;
    let key = fields.take("key");
    for name in ["policy", "field", "version"] {
        if let Some(node) = fields.take(name) {
            let what = format!("a secret's {name} is not honoured");
            let help =
                "hosts read the secret from the file in their --secrets-dir that the key names";
            reader.warning_with_help(node, &what, help);
        }
    }
    fields.finish(reader);
    Some(key)
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

/// Linear memory comes in pages of 64 KiB, and a host refuses an actor that asks for more than this (`host/src/actors/engine.rs`).
fn memory(text: &str) -> Result<u64, String> {
    let bytes = quantity::bytes(text).map_err(|error| error.to_string())?;
    let fits = (64 << 10..=1 << 30).contains(&bytes);
    fits.then_some(bytes).ok_or_else(|| "an instance has from 64KiB to 1GiB".to_owned())
}

/// A host refuses an actor whose calls may take longer than this (`host/src/actors/limits.rs`).
const DEADLINE_MS_MAX: u32 = 600_000;

fn deadline_ms(text: &str) -> Result<u32, String> {
    let time = quantity::duration(text).map_err(|error| error.to_string())?;
    let ms = u32::try_from(time.as_millis()).ok();
    let fits = ms.filter(|ms| (1..=DEADLINE_MS_MAX).contains(ms));
    fits.ok_or_else(|| "a deadline is from 1ms to 10m".to_owned())
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
