//! What components have to do with each other.

mod built_in;
mod links;
mod old;
mod settings;
mod spelling;

use std::collections::HashMap;

use wattle_core::Name;

use super::{
    Component, Image, Shipped, Source,
    component::Old,
    finding::Finding,
    node::{Place, Placed},
    reader::Reader,
};

pub(super) fn all(reader: &mut Reader, components: &mut Vec<Component>, mut old: Old) {
    names(reader, components);
    built_in::secrets(reader, components, std::mem::take(&mut old.secrets));
    old::resolve(reader, components, old);
    settings::own(reader, components);
    links::all(reader, components);
}

/// Neither names nor aliases may be there twice.
fn names(reader: &mut Reader, components: &[Component]) {
    let mut seen: HashMap<&Name, &Place> = HashMap::new();
    for Component { name, place, .. } in components {
        if let Some(first) = seen.insert(name, place) {
            let what = format!("there is a component {name} already, in line {}", first.line);
            reader.findings.push(Finding::error(place, what));
        }
    }
    let mut seen: HashMap<&Name, &Place> = HashMap::new();
    for Placed { value, place } in components.iter().filter_map(|one| one.alias.as_ref()) {
        if let Some(first) = seen.insert(value, place) {
            let what = format!("the id {value} is another component's, in line {}", first.line);
            reader.findings.push(Finding::error(place, what));
        }
    }
}

/// Says that a name means nothing, and which there are.
fn unknown(reader: &mut Reader, components: &[Component], name: &Placed<Name>) {
    if reader.is_incomplete {
        return;
    }
    const NAMES_MAX: usize = 10;
    let mut names: Vec<&str> =
        components.iter().take(NAMES_MAX).map(|other| other.name.as_str()).collect();
    if components.len() > NAMES_MAX {
        names.push("…");
    }
    let what = format!("no component is called {}", name.value);
    let help = format!("there are {}", names.join(", "));
    reader.findings.push(Finding::error(&name.place, what).with_help(help));
}

fn find<'a>(components: &'a [Component], name: &Name) -> Option<&'a Component> {
    components.iter().find(|other| other.name == *name)
}

/// What is known of a provider without asking it.
struct Spoken {
    name: &'static str,
    imports: &'static [&'static str],
    exports: &'static [&'static str],
}

fn spoken(component: &Component) -> Option<Spoken> {
    match &component.source {
        Source::Image(Image::Shipped(shipped, _)) => {
            let Shipped { name, imports, exports, .. } = **shipped;
            Some(Spoken { name, imports, exports })
        }
        Source::BuiltIn(built_in) => {
            let (imports, exports) = (built_in.import_names(), built_in.export_names());
            Some(Spoken { name: built_in.name(), imports, exports })
        }
        _ => None,
    }
}

fn shipped(component: &Component) -> Option<&'static Shipped> {
    match &component.source {
        Source::Image(Image::Shipped(shipped, _)) => Some(shipped),
        _ => None,
    }
}
