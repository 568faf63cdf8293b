//! Links, as they stand at the component that calls.

use std::{collections::HashSet, str::FromStr as _};

use wattle_core::{
    Interface, LinkName, Locality, Name,
    link::{Constraints, DEFAULT_LINK_NAME},
};

use super::{
    Link, Properties,
    component::{configs, secrets},
    finding::Finding,
    node::{Node, Place, Placed, Value},
    reader::{Fields, Reader},
};

/// What a link on a package may be held to, where that is known; anything else would deny.
const CONSTRAINTS: [(&str, &[&str]); 8] = [
    ("wasi:blobstore", &["containers", "prefix", "access"]),
    ("wasi:http", &["allowed-hosts", "allowed-addresses"]),
    ("wasi:keyvalue", &["key-prefix", "buckets"]),
    ("wasmcloud:messaging", &["subjects"]),
    ("wasmcloud:postgres", &[]),
    ("wasmcloud:secrets", &["names"]),
    ("wattle:control", &["commands", "ids"]),
    ("wattle:sql", &["tables", "access"]),
];

/// The most letters of a namespace, a package or an interface that are read.
const LABEL_LEN_MAX: usize = 64;

/// A link of a manifest from before components: what it is on, only the provider's contract says.
pub(super) struct OldLink {
    pub(super) source: Name,
    pub(super) target: Placed<Name>,
    pub(super) values: Properties,
    pub(super) place: Place,
}

/// One end of a link.
#[derive(Default)]
struct End<'a> {
    name: Option<Placed<Name>>,
    config: Option<&'a Node>,
    /// What is wrong with it is said already.
    is_wrong: bool,
}

pub(super) fn read(reader: &mut Reader, node: &Node, own: &Name) -> Option<Link> {
    let mut fields = reader.fields(node, "a link")?;
    let target = fields.need(reader, "target").map(|node| (node, end(reader, node)));
    let source = fields.take("source").map(|node| end(reader, node)).unwrap_or_default();
    let old_source = fields.take_old(reader, "source_config", "source.config");
    let old_target = fields.take_old(reader, "target_config", "target.config");
    let package = ["namespace", "package"]
        .map(|name| fields.need(reader, name).and_then(|node| label(reader, node, name)));
    let interfaces = fields.need(reader, "interfaces");
    let name = match fields.take("name") {
        Some(node) => reader.name(node),
        None => LinkName::from_str(DEFAULT_LINK_NAME).ok(),
    };
    let locality =
        fields.take("locality").map_or(Some(Locality::Any), |node| locality(reader, node));
    let held_to = fields.take("constraints");
    fields.finish(reader);

    if let Some(name) = &source.name
        && name.value != *own
    {
        let what = format!("the link stands at {own}, which is its source");
        let what = format!("{what}: {} is not honoured", name.value);
        reader.findings.push(Finding::warning(&name.place, what));
    }
    let source_config = configs(reader, &[old_source, source.config]);
    let target_config =
        configs(reader, &[old_target, target.as_ref().and_then(|(_, end)| end.config)]);
    let [Some(namespace), Some(package)] = package else { return None };
    let package = format!("{namespace}:{package}");
    let interfaces = interfaces.map(|node| self::interfaces(reader, node, &package));
    let constraints =
        held_to.map_or_else(Constraints::new, |node| constraints(reader, node, &package));
    let (target_node, target) = target?;
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
fn end<'a>(reader: &mut Reader, node: &'a Node) -> End<'a> {
    if let Value::Text(_) = node.value {
        let name = reader.placed(node);
        return End { is_wrong: name.is_none(), name, config: None };
    }
    let Some(mut fields) = reader.fields(node, "an end of a link") else {
        return End { is_wrong: true, ..End::default() };
    };
    let written = fields.take("name");
    let name = written.and_then(|node| reader.placed(node));
    let config = fields.take("config");
    secrets(reader, fields.take("secrets"));
    fields.finish(reader);
    End { is_wrong: written.is_some() && name.is_none(), name, config }
}

/// A part of an interface's name. A link is for every version of its interfaces.
fn label<'a>(reader: &mut Reader, node: &'a Node, what: &str) -> Option<&'a str> {
    let text = reader.text(node)?;
    let (bare, version) = match text.split_once('@') {
        Some((bare, version)) => (bare, Some(version)),
        None => (text, None),
    };
    // Each part is one for itself: put together, one could say what another one seems to.
    let whole = format!("{}:a/a", bare.get(..LABEL_LEN_MAX).unwrap_or(bare));
    let is_label = bare.len() <= LABEL_LEN_MAX
        && whole.parse::<Interface>().is_ok_and(|interface| interface.as_str() == whole);
    if !is_label {
        let bare: String = bare.chars().take(LABEL_LEN_MAX).collect();
        reader.error(node, format!("{bare:?} is no {what}: use letters, digits and '-'"));
        return None;
    }
    if let Some(version) = version {
        let version: String = version.chars().take(LABEL_LEN_MAX).collect();
        let what = format!("links are for every version: {version:?} is not honoured");
        reader.warning(node, what);
    }
    Some(bare)
}

fn interfaces(reader: &mut Reader, node: &Node, package: &str) -> Vec<Placed<Interface>> {
    let mut interfaces = Vec::new();
    let mut seen = HashSet::new();
    let nodes = reader.list(node);
    for node in nodes {
        let Some(name) = label(reader, node, "interface") else { continue };
        match Interface::from_str(&format!("{package}/{name}")) {
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

pub(super) fn read_old(reader: &mut Reader, node: &Node, source: &Name) -> Option<OldLink> {
    let mut fields: Fields<'_> = reader.fields(node, "a linkdef")?;
    let target = fields.need(reader, "target").and_then(|node| reader.placed(node));
    let values = fields.take("values").map_or_else(Properties::new, |node| reader.settings(node));
    fields.finish(reader);
    Some(OldLink { source: source.clone(), target: target?, values, place: node.place.clone() })
}
