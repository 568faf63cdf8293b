//! Which interfaces of a WIT a provider answers.

use std::collections::BTreeSet;

use wit_parser::{InterfaceId, PackageId, Resolve};

use super::id_of;
use crate::{exit::Exit, problem::Problem};

/// Those that are chosen by name, or all of the package that have functions.
pub(super) fn interfaces(
    resolve: &Resolve,
    package: PackageId,
    chosen: &[String],
) -> Result<BTreeSet<InterfaceId>, Problem> {
    let own = || resolve.packages[package].interfaces.values().copied();
    let answers = |id: &InterfaceId| !resolve.interfaces[*id].functions.is_empty();
    if chosen.is_empty() {
        let all: BTreeSet<InterfaceId> = own().filter(answers).collect();
        return if all.is_empty() { Err(nothing(resolve, package)) } else { Ok(all) };
    }
    let mut found = BTreeSet::new();
    for name in chosen {
        let interface = named(resolve, package, name).filter(answers).ok_or_else(|| {
            let known: Vec<String> = own().filter(answers).map(|id| id_of(resolve, id)).collect();
            let what = format!("no interface {name} with functions; there is {}", or_none(&known));
            Problem::new(Exit::NotFound, what)
        })?;
        found.insert(interface);
    }
    Ok(found)
}

/// By its whole name, with or without a version, or by its own name in the package.
fn named(resolve: &Resolve, package: PackageId, name: &str) -> Option<InterfaceId> {
    if let Some(&id) = resolve.packages[package].interfaces.get(name) {
        return Some(id);
    }
    let packages = resolve.packages.iter().flat_map(|(_, package)| package.interfaces.values());
    packages
        .copied()
        .find(|&id| id_of(resolve, id) == name || resolve.id_of(id).as_deref() == Some(name))
}

fn nothing(resolve: &Resolve, package: PackageId) -> Problem {
    let package = &resolve.packages[package].name;
    Problem::new(Exit::Failed, format!("no interface of {package} has a function to answer"))
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
