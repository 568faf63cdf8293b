//! One interface as a component's type has it: its functions and resources, or why the bridge cannot carry it.

use wasmtime::{
    Engine,
    component::types::{ComponentInstance, ComponentItem},
};
use wattle_core::Interface;

use super::shape::{Shapes, Signature, Unfit};
use crate::actors::ActorError;

/// What is in an interface, by WIT names.
#[derive(Default)]
pub(super) struct Items {
    pub(super) functions: Vec<(String, Signature)>,
    /// Where each resource stands among those of the component; those that live in this host have no place there.
    pub(super) resources: Vec<(String, u32)>,
}

/// The interface's functions and resources. `verb` is what the actor does with it, for the error.
pub(super) fn items(
    engine: &Engine,
    shapes: &mut Shapes<'_>,
    verb: &str,
    interface: &Interface,
    ty: &ComponentInstance,
) -> Result<Items, ActorError> {
    let mut items = Items::default();
    for (name, item) in ty.exports(engine) {
        let read = match item.ty {
            ComponentItem::ComponentFunc(function) => shapes.signature(&function).map(|read| {
                items.functions.push((name.to_owned(), read));
            }),
            ComponentItem::Type(_) => Ok(()),
            ComponentItem::Resource(ty) => shapes.resource(&ty).map(|found| {
                items.resources.extend(found.map(|at| (name.to_owned(), at)));
            }),
            _ => Err(Unfit::Kind("modules or instances")),
        };
        read.map_err(|unfit| {
            ActorError::Link(format!("it {verb} the interface {interface}, whose {name} {unfit}"))
        })?;
    }
    Ok(items)
}
