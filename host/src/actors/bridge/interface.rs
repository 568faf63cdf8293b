//! One interface as a component's type has it: its functions, or why the bridge cannot carry it.

use wasmtime::{
    Engine,
    component::types::{ComponentInstance, ComponentItem},
};
use wattle_core::Interface;

use super::shape::{Shapes, Signature, Unfit};
use crate::actors::ActorError;

/// The interface's functions by their WIT names. `verb` is what the actor does with it, for the error.
pub(super) fn functions(
    engine: &Engine,
    shapes: &mut Shapes,
    verb: &str,
    interface: &Interface,
    ty: &ComponentInstance,
) -> Result<Vec<(String, Signature)>, ActorError> {
    let mut functions = Vec::new();
    for (name, item) in ty.exports(engine) {
        let read = match item.ty {
            ComponentItem::ComponentFunc(function) => shapes.signature(&function).map(Some),
            ComponentItem::Type(_) => Ok(None),
            ComponentItem::Resource(_) => Err(Unfit::Resources),
            _ => Err(Unfit::Kind("modules or instances")),
        };
        let read = read.map_err(|unfit| {
            ActorError::Link(format!("it {verb} the interface {interface}, whose {name} {unfit}"))
        })?;
        functions.extend(read.map(|signature| (name.to_owned(), signature)));
    }
    Ok(functions)
}
