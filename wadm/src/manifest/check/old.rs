//! linkdef traits, which manifests from before components have. One stands at the actor, whichever of the two calls the other.

use wattle_core::{
    Interface, LinkName, Locality, Name,
    link::{Constraints, DEFAULT_LINK_NAME},
};

use super::{Reader, find, shipped, unknown};
use crate::manifest::{
    Component, Config, Finding, Link, Placed, Source, component::Old, link::OldLink,
};

pub(super) fn resolve(reader: &mut Reader, components: &mut [Component], old: Old) {
    for link in old.links {
        let name = old.names.get(&link.target.value).cloned();
        resolve_one(reader, components, link, name);
    }
}

/// A provider that calls actors and serves them, too, has a link either way; each has the settings.
fn resolve_one(
    reader: &mut Reader,
    components: &mut [Component],
    old: OldLink,
    name: Option<LinkName>,
) {
    let OldLink { source: actor, target: provider, values, place } = old;
    let Some(component) = find(components, &provider) else {
        return unknown(reader, components, &provider);
    };
    if component.source == Source::unknown() {
        return;
    }
    let Some(serves) = shipped(component) else {
        let what = format!(
            "what {} serves is not known, so that a linkdef does not say enough",
            provider.value
        );
        let help = "write a link with namespace, package and interfaces";
        reader.findings.push(Finding::error(&place, what).with_help(help));
        return;
    };
    reader.findings.push(Finding::warning(&place, "linkdef is read as what it stands for: a link"));
    let config =
        vec![Config { name: "linkdef".parse().expect("a name"), properties: Some(values) }];
    let name = name.unwrap_or_else(|| DEFAULT_LINK_NAME.parse().expect("a name"));
    let link = |source: &Name, target: &Name, interfaces: &[&str]| Link {
        source: source.clone(),
        target: Placed { value: target.clone(), place: place.clone() },
        interfaces: interfaces
            .iter()
            .filter_map(|name| name.parse::<Interface>().ok())
            .map(|value| Placed { value, place: place.clone() })
            .collect(),
        name: name.clone(),
        source_config: Vec::new(),
        target_config: Vec::new(),
        locality: Locality::Any,
        constraints: Constraints::new(),
        place: place.clone(),
    };
    let mut links = Vec::new();
    if !serves.imports.is_empty() {
        let calls = link(&provider, &actor, serves.imports);
        links.push(Link { source_config: config.clone(), ..calls });
    }
    if !serves.exports.is_empty() {
        let called = link(&actor, &provider, serves.exports);
        links.push(Link { target_config: config, ..called });
    }
    for link in links {
        if let Some(at) = components.iter_mut().find(|other| other.name == link.source) {
            at.links.push(link);
        }
    }
}
