//! Traits: scalers and links.

use std::collections::{BTreeMap, HashSet};

use wattle_core::Name;

use super::{Link, Scaler, Spread, component::Old, link, node::Node, reader::Reader};

/// Shares are in proportion to each other, so what one has that says nothing is only a habit: wasmCloud's.
const WEIGHT_DEFAULT: u32 = 100;
const WEIGHT_MAX: u32 = 1_000_000;

/// What stands at one component.
#[derive(Default)]
pub(super) struct Traits {
    pub(super) scaler: Option<Scaler>,
    pub(super) links: Vec<Link>,
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
            "link" => traits.links.extend(link::read(reader, properties, source)),
            "linkdef" => old.links.extend(link::read_old(reader, properties, source)),
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
