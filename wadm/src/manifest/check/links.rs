//! Links: whom they name, what they can allow, and what they have to do with each other.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    mem,
};

use wattle_core::{Interface, LinkName, Name};

use super::{Reader, Spoken, built_in, find, settings, shipped, spelling, spoken, unknown};
use crate::manifest::{Component, Finding, Kind, Link, Place, Source};

pub(super) fn all(reader: &mut Reader, components: &mut [Component]) {
    for index in 0..components.len() {
        let links = mem::take(&mut components[index].links);
        let caller = &components[index];
        let mut kept: Vec<Link> = Vec::new();
        let mut at: HashMap<Key, usize> = HashMap::new();
        for link in links {
            let Some(link) = one(reader, components, caller, link) else { continue };
            match at.entry(key(&link)) {
                Entry::Occupied(first) => merge(reader, &mut kept[*first.get()], link),
                Entry::Vacant(free) => {
                    free.insert(kept.len());
                    kept.push(link);
                }
            }
        }
        clashes(reader, &kept);
        components[index].links = kept;
    }
}

/// A link with what it can allow, if that is anything.
fn one(
    reader: &mut Reader,
    components: &[Component],
    caller: &Component,
    mut link: Link,
) -> Option<Link> {
    let (source, target) = (&link.source, &link.target);
    let Some(callee) = find(components, target) else {
        unknown(reader, components, target);
        return None;
    };
    if *source == target.value {
        let what =
            format!("{source} is linked to itself, which allows nothing: it is not honoured");
        reader.findings.push(Finding::warning(&target.place, what));
        return None;
    }
    if caller.kind == Kind::Provider && callee.kind == Kind::Provider {
        let target = &target.value;
        let what = format!("{source} and {target} are providers, which do not call each other");
        reader.findings.push(Finding::error(&link.target.place, what));
        return None;
    }
    let (calls, serves) = (spoken(caller), spoken(callee));
    link.interfaces.retain(|interface| {
        let Some(misfit) = misfit(calls.as_ref(), serves.as_ref(), interface) else { return true };
        reader.findings.push(misfit.at(&interface.place));
        false
    });
    if let Some(provider) = shipped(caller) {
        let known = provider.link_settings;
        settings::honour(reader, provider.name, known, &mut link.source_config);
    }
    if let Source::BuiltIn(called) = callee.source {
        built_in::called(reader, called, &link);
    }
    if let Some(provider) = shipped(callee) {
        let known = provider.link_settings;
        settings::honour(reader, provider.name, known, &mut link.target_config);
        spelling::hosts(reader, callee, provider, &mut link);
        spelling::containers(callee, &mut link);
    }
    (!link.interfaces.is_empty()).then_some(link)
}

/// An interface that a provider is known not to speak.
struct Misfit {
    what: String,
    help: String,
}

impl Misfit {
    fn at(self, place: &Place) -> Finding {
        Finding::warning(place, self.what).with_help(self.help)
    }
}

/// What is known of providers without asking them.
fn misfit(
    calls: Option<&Spoken>,
    serves: Option<&Spoken>,
    interface: &Interface,
) -> Option<Misfit> {
    let (provider, verb, known) = match (calls, serves) {
        (Some(caller), _) if !caller.imports.contains(&interface.as_str()) => {
            (caller, "calls", caller.imports)
        }
        (_, Some(callee)) if !callee.exports.contains(&interface.as_str()) => {
            (callee, "serves", callee.exports)
        }
        _ => return None,
    };
    let name = provider.name;
    let what = format!("{name} {verb} nothing on {interface}: the link does not allow it");
    let help = match known {
        [] => format!("{name} {verb} nobody"),
        known => format!("{name} {verb} {}", known.join(", ")),
    };
    Some(Misfit { what, help })
}

/// What the lattice tells links of one caller apart by (`LinkKey`).
type Key = (Name, LinkName, String);

fn key(link: &Link) -> Key {
    let package = link.interfaces.first().map(|one| one.package().to_owned());
    (link.target.value.clone(), link.name.clone(), package.unwrap_or_default())
}

/// Two of one package become one, on all that either is on.
fn merge(reader: &mut Reader, first: &mut Link, link: Link) {
    let Link { source, target, place, .. } = &link;
    let what = format!("{source} is linked to {} in line {}, too", target.value, first.place.line);
    let differ = first.source_config != link.source_config
        || first.target_config != link.target_config
        || first.locality != link.locality
        || first.constraints != link.constraints;
    if differ {
        let what = format!("{what}, and not in the same way");
        let help = "one link of a name and a package goes to a component: make them one, or give one another name";
        reader.findings.push(Finding::error(place, what).with_help(help));
        return;
    }
    let known: HashSet<Interface> = first.interfaces.iter().map(|it| it.value.clone()).collect();
    let before = first.interfaces.len();
    let place = link.place.clone();
    first.interfaces.extend(link.interfaces.into_iter().filter(|it| !known.contains(&it.value)));
    if first.interfaces.len() == before {
        reader.findings.push(Finding::warning(&place, format!("{what}: once is enough")));
    }
}

/// Who calls has to know which link is meant: a name and an interface lead to one component.
fn clashes(reader: &mut Reader, links: &[Link]) {
    let mut seen: HashMap<(&LinkName, &Interface), &Link> = HashMap::new();
    for link in links {
        let mut first: Option<(&Name, &Interface, usize)> = None;
        for interface in &link.interfaces {
            let before = seen.entry((&link.name, &interface.value)).or_insert(link);
            if before.target != link.target && first.is_none() {
                first = Some((&before.target, interface, before.place.line));
            }
        }
        let Some((other, interface, line)) = first else { continue };
        let (source, name) = (&link.source, link.name.as_str());
        let what = format!(
            "{source} has a link {name:?} on {interface} in line {line}, to {other}: which one is meant?"
        );
        let finding = Finding::error(&link.place, what);
        reader.findings.push(finding.with_help("give one of them another name"));
    }
}
