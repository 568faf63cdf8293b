//! Traits: scalers and links.

use std::{
    collections::{BTreeMap, HashSet},
    str::FromStr as _,
};

use wattle_core::{
    Interface, LinkName, Locality, Name,
    link::{Constraints, DEFAULT_LINK_NAME},
};

use super::{
    Config, Link, Properties, Scaler, Spread,
    component::{Old, configs, secrets},
    finding::Finding,
    node::{Node, Place, Placed, Value},
    reader::{Fields, Reader},
};

/// What a link on a package may be held to, where that is known; anything else would deny.
const CONSTRAINTS: [(&str, &[&str]); 1] = [("wasi:keyvalue", &["key-prefix", "buckets"])];

/// Shares are in proportion to each other, so what one has that says nothing is only a habit: wasmCloud's.
const WEIGHT_DEFAULT: u32 = 100;
const WEIGHT_MAX: u32 = 1_000_000;

/// What stands at one component.
#[derive(Default)]
pub(super) struct Traits {
    pub(super) scaler: Option<Scaler>,
    pub(super) links: Vec<Link>,
}

/// A link of a manifest from before components: what it is on, only the provider's contract says.
pub(super) struct OldLink {
    pub(super) source: Name,
    pub(super) target: Placed<Name>,
    pub(super) values: Properties,
    pub(super) place: Place,
}

pub(super) fn read(
    reader: &mut Reader,
    node: Option<&Node>,
    source: &Name,
    old: &mut Old,
) -> Traits {
    let (mut traits, mut has_scaler) = (Traits::default(), false);
    for node in node.map_or(&[][..], |node| reader.list(node)) {
        let Some(mut fields) = reader.fields(node, "a trait") else { continue };
        let kind = fields.need(reader, "type");
        let properties = fields.take("properties");
        fields.finish(reader);
        let Some((kind, name)) = kind.and_then(|kind| Some((kind, reader.text(kind)?))) else {
            continue;
        };
        if !matches!(name, "spreadscaler" | "daemonscaler" | "link" | "linkdef") {
            reader.warning(
                kind,
                format!("a trait of type {name:?} is not known here: it is not honoured"),
            );
            continue;
        }
        let Some(properties) = properties else {
            reader.error(node, format!("{name} needs properties"));
            continue;
        };
        match name {
            "link" => traits.links.extend(link(reader, properties, source)),
            "linkdef" => old.links.extend(old_link(reader, properties, source)),
            _ if has_scaler => reader.error(kind, "a component has one scaler"),
            _ => {
                has_scaler = true;
                traits.scaler = scaler(reader, properties, name == "daemonscaler");
            }
        }
    }
    traits
}

fn scaler(reader: &mut Reader, node: &Node, is_daemon: bool) -> Option<Scaler> {
    let mut fields = reader.fields(node, "a scaler")?;
    let instances =
        fields.take("instances").or_else(|| fields.take_old(reader, "replicas", "instances"));
    let instances =
        instances.map_or(Some(1), |node| reader.parsed(node, "a number from 0 to 65535"));
    let shares = fields.take("spread");
    fields.finish(reader);
    let spread = shares.map_or_else(Vec::new, |node| spread(reader, node));
    let instances = instances?;
    Some(match is_daemon {
        true => Scaler::Daemon { instances, spread },
        false => Scaler::Spread { instances, spread },
    })
}

fn spread(reader: &mut Reader, node: &Node) -> Vec<Spread> {
    let mut spread: Vec<Spread> = Vec::new();
    let mut names = HashSet::new();
    let nodes = reader.list(node);
    for node in nodes {
        let Some(share) = share(reader, node) else { continue };
        if !names.insert(share.name.clone()) {
            reader.error(node, format!("a spread {:?} is there already", share.name));
        }
        spread.push(share);
    }
    if spread.len() == nodes.len() && !nodes.is_empty() && spread.iter().all(|s| s.weight == 0) {
        reader.error(node, "all weights are 0, so that nothing has a share");
    }
    spread
}

fn share(reader: &mut Reader, node: &Node) -> Option<Spread> {
    let mut fields = reader.fields(node, "a spread")?;
    let name = fields.need(reader, "name").and_then(|node| reader.text(node));
    let requirements =
        fields.take("requirements").map_or_else(BTreeMap::new, |node| reader.texts(node));
    let weight = fields.take("weight").map_or(Some(WEIGHT_DEFAULT), |node| {
        let fits = |text: &str| text.parse().ok().filter(|weight| *weight <= WEIGHT_MAX);
        let wanted = format!("this has to be a number from 0 to {WEIGHT_MAX}");
        reader.understood(node, |text| fits(text).ok_or(wanted))
    });
    fields.finish(reader);
    Some(Spread { name: name?.to_owned(), requirements, weight: weight? })
}

/// One end of a link.
#[derive(Default)]
struct End {
    name: Option<Placed<Name>>,
    config: Vec<Config>,
    /// What is wrong with it is said already.
    is_wrong: bool,
}

fn link(reader: &mut Reader, node: &Node, own: &Name) -> Option<Link> {
    let mut fields = reader.fields(node, "a link")?;
    let target = fields.need(reader, "target").map(|node| (node, end(reader, node)));
    let source = fields.take("source").map(|node| end(reader, node));
    let mut old_config = |old, name| {
        let node = fields.take_old(reader, old, name);
        configs(reader, node)
    };
    let (mut source_config, mut target_config) = (
        old_config("source_config", "source.config"),
        old_config("target_config", "target.config"),
    );
    let package = ["namespace", "package"]
        .map(|name| fields.need(reader, name).and_then(|node| reader.text(node)));
    let interfaces = fields.need(reader, "interfaces");
    let name = match fields.take("name") {
        Some(node) => reader.name(node),
        None => LinkName::from_str(DEFAULT_LINK_NAME).ok(),
    };
    let locality =
        fields.take("locality").map_or(Some(Locality::Any), |node| locality(reader, node));
    let held_to = fields.take("constraints");
    fields.finish(reader);

    let [Some(namespace), Some(package)] = package else { return None };
    let interfaces = interfaces.map(|node| self::interfaces(reader, node, namespace, package));
    let package = format!("{namespace}:{package}");
    let constraints =
        held_to.map_or_else(Constraints::new, |node| constraints(reader, node, &package));
    if let Some(End { name: Some(name), .. }) = &source
        && name.value != *own
    {
        let what = format!("the link stands at {own}, which is its source");
        let what = format!("{what}: {} is not honoured", name.value);
        reader.findings.push(Finding::warning(&name.place, what));
    }
    source_config.extend(source.into_iter().flat_map(|end| end.config));
    let (target_node, target) = target?;
    target_config.extend(target.config);
    if target.name.is_none() && !target.is_wrong {
        reader.error(target_node, "a link's target needs a name");
    }
    Some(Link {
        source: own.clone(),
        target: target.name?,
        interfaces: interfaces?,
        name: name?,
        source_config,
        target_config,
        locality: locality?,
        constraints,
        place: node.place.clone(),
    })
}

/// A name alone, or with what belongs to that end.
fn end(reader: &mut Reader, node: &Node) -> End {
    if let Value::Text(_) = node.value {
        let name = reader.placed(node);
        return End { is_wrong: name.is_none(), name, config: Vec::new() };
    }
    let Some(mut fields) = reader.fields(node, "an end of a link") else {
        return End { is_wrong: true, ..End::default() };
    };
    let written = fields.take("name");
    let name = written.and_then(|node| reader.placed(node));
    let config = configs(reader, fields.take("config"));
    secrets(reader, fields.take("secrets"));
    fields.finish(reader);
    End { is_wrong: written.is_some() && name.is_none(), name, config }
}

fn interfaces(
    reader: &mut Reader,
    node: &Node,
    namespace: &str,
    package: &str,
) -> Vec<Placed<Interface>> {
    let mut interfaces = Vec::new();
    let mut seen = HashSet::new();
    let nodes = reader.list(node);
    for node in nodes {
        let Some(name) = reader.text(node) else { continue };
        match Interface::from_str(&format!("{namespace}:{package}/{name}")) {
            Ok(interface) if !seen.insert(interface.clone()) => {
                reader.warning(node, format!("{interface} is said twice"));
            }
            Ok(value) => interfaces.push(Placed { value, place: node.place.clone() }),
            Err(error) => reader.error(node, error.to_string()),
        }
    }
    if nodes.is_empty() && matches!(node.value, Value::List(_)) {
        reader.error(node, "a link is on at least one interface");
    }
    interfaces
}

fn locality(reader: &mut Reader, node: &Node) -> Option<Locality> {
    match reader.text(node)? {
        "any" => Some(Locality::Any),
        "local" => Some(Locality::Local),
        "remote" => Some(Locality::Remote),
        other => {
            reader
                .error(node, format!("{other:?} is no locality: there are any, local and remote"));
            None
        }
    }
}

/// Each with one value or a list of them.
fn constraints(reader: &mut Reader, node: &Node, package: &str) -> Constraints {
    let known = CONSTRAINTS.iter().find(|(of, _)| *of == package).map(|(_, known)| known);
    let mut constraints = Constraints::new();
    for (key, value) in reader.entries(node) {
        if let Some(known) = known
            && !known.contains(&key.text.as_str())
        {
            let what = format!("{package} knows no constraint {:?}: it would deny all", key.text);
            let help = format!("it knows {}", known.join(", "));
            reader.findings.push(Finding::error(&key.place, what).with_help(help));
        }
        let values = match &value.value {
            Value::List(items) => items.iter().filter_map(|item| reader.text(item)).collect(),
            _ => reader.text(value).into_iter().collect::<Vec<_>>(),
        };
        constraints.insert(key.text.clone(), values.into_iter().map(str::to_owned).collect());
    }
    constraints
}

fn old_link(reader: &mut Reader, node: &Node, source: &Name) -> Option<OldLink> {
    let mut fields: Fields<'_> = reader.fields(node, "a linkdef")?;
    let target = fields.need(reader, "target").and_then(|node| reader.placed(node));
    let values = fields.take("values").map_or_else(Properties::new, |node| reader.settings(node));
    fields.finish(reader);
    Some(OldLink { source: source.clone(), target: target?, values, place: node.place.clone() })
}
