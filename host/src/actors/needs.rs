//! What a component imports that somebody else has to answer.

use wasmtime::component::{
    Component,
    types::{ComponentInstance, ComponentItem},
};
use wattle_core::Interface;

/// An interface that an actor can call only over a link.
#[derive(Debug)]
pub(crate) struct Need {
    pub(crate) interface: Interface,
    /// As the component names it, with its version.
    pub(crate) name: String,
}

/// What is ambient needs nobody, and what has only types is called by nobody.
pub(super) fn of(component: &Component) -> Vec<Need> {
    let engine = component.engine();
    let ty = component.component_type();
    let calls = |ty: &ComponentInstance| {
        ty.exports(engine).any(|(_, item)| {
            matches!(item.ty, ComponentItem::ComponentFunc(_) | ComponentItem::Resource(_))
        })
    };
    let needs = ty.imports(engine).filter_map(|(name, item)| {
        let ComponentItem::ComponentInstance(ty) = item.ty else { return None };
        let interface: Interface = name.parse().ok()?;
        let needed = !interface.is_ambient() && calls(&ty);
        needed.then(|| Need { interface, name: name.to_owned() })
    });
    needs.collect()
}
