//! What is built into every host: components that need no image, and what wasmCloud's manifests ask of a host's secrets.

use std::str::FromStr as _;

use wattle_core::{
    BuiltIn, Interface, LinkName, Locality, Name,
    link::{ConfigValue, Constraints, DEFAULT_LINK_NAME},
};

use super::Reader;
use crate::manifest::{
    Component, Config, Finding, Kind, Link, Placed, Scaler, Source, component::OwnSecrets,
};

/// The constraint that names secrets.
const NAMES: &str = "names";

/// What a link to command the lattice is on.
const COMMANDS: &str = "wattle:control/commands";

/// Names for the component that a manifest's secrets come from, if it has none.
const SPARE: [&str; 2] = ["secrets", "built-in-secrets"];

/// An actor's `secrets` are a link to where hosts keep them, under the keys that it asks for.
pub(super) fn secrets(
    reader: &mut Reader,
    components: &mut Vec<Component>,
    asked: Vec<OwnSecrets>,
) {
    for OwnSecrets { source, values, place } in asked {
        let is_it = |it: &&Component| it.source == Source::BuiltIn(BuiltIn::Secrets);
        let target = match components.iter().find(is_it).map(|it| it.name.clone()) {
            Some(name) => name,
            None => match spare(components) {
                Some(name) => {
                    components.push(keeper(name.clone(), &place));
                    name
                }
                None => {
                    let what = "secrets need a component of their own";
                    let help = "add {type: capability, properties: {built-in: secrets}}";
                    reader.findings.push(Finding::error(&place, what).with_help(help));
                    return;
                }
            },
        };
        let link = Link {
            source: source.clone(),
            target: Placed { value: target, place: place.clone() },
            interfaces: BuiltIn::Secrets
                .exports()
                .into_iter()
                .map(|value| Placed { value, place: place.clone() })
                .collect::<Vec<Placed<Interface>>>(),
            name: LinkName::from_str(DEFAULT_LINK_NAME).expect("a name"),
            source_config: Vec::new(),
            target_config: vec![Config {
                name: Name::from_str("secrets").expect("a name"),
                properties: Some(values),
            }],
            locality: Locality::Any,
            constraints: Constraints::new(),
            place,
        };
        if let Some(actor) = components.iter_mut().find(|it| it.name == source) {
            actor.links.push(link);
        }
    }
}

fn spare(components: &[Component]) -> Option<Name> {
    let free = |name: &&str| components.iter().all(|it| it.name.as_str() != *name);
    SPARE.into_iter().find(free).map(|name| name.parse().expect("a name"))
}

fn keeper(name: Name, place: &crate::manifest::Place) -> Component {
    Component {
        name,
        kind: Kind::Provider,
        source: Source::BuiltIn(BuiltIn::Secrets),
        alias: None,
        config: Vec::new(),
        limits: Default::default(),
        probe: None,
        scaler: Scaler::Daemon { instances: 1, spread: Vec::new() },
        links: Vec::new(),
        place: place.clone(),
    }
}

/// What each host would say to a link to what is built into it.
pub(super) fn called(reader: &mut Reader, called: BuiltIn, link: &Link) {
    if link.locality == Locality::Remote {
        let what = format!("{called} answers on the host of its caller, never on another");
        reader.findings.push(Finding::error(&link.place, what));
    }
    match called {
        BuiltIn::Secrets => names(reader, link),
        BuiltIn::LatticeControl => commands(reader, link),
    }
}

fn commands(reader: &mut Reader, link: &Link) {
    let are_meant = link.interfaces.iter().any(|named| named.value.as_str() == COMMANDS);
    let lists = |name: &str| link.constraints.get(name).is_some_and(|listed| !listed.is_empty());
    if are_meant && !(lists("commands") && lists("ids")) {
        let finding = Finding::error(&link.place, "the link allows no command about anybody");
        let help = "write constraints: {commands: [scale-actor], ids: [ID]}";
        reader.findings.push(finding.with_help(help));
    }
}

fn names(reader: &mut Reader, link: &Link) {
    let mut named = link.constraints.get(NAMES).is_some_and(|names| !names.is_empty());
    for config in &link.target_config {
        let Some(properties) = &config.properties else {
            let what =
                format!("the config {} could name secrets that the link does not", config.name);
            let help = "write properties: {KEY: {secret: NAME}}";
            reader.findings.push(Finding::error(&link.place, what).with_help(help));
            continue;
        };
        for (key, Placed { value, place }) in properties {
            match value {
                ConfigValue::Secret { .. } => named = true,
                ConfigValue::Plain(_) => {
                    let what = format!("{key:?} is no secret's name");
                    let help = format!("write {key}: {{secret: NAME}}");
                    reader.findings.push(Finding::error(place, what).with_help(help));
                    named = true;
                }
            }
        }
    }
    if !named {
        let finding = Finding::error(&link.place, "the link names no secrets, so it allows none");
        reader.findings.push(finding.with_help(format!("write constraints: {{{NAMES}: [NAME]}}")));
    }
}
