//! The bridge against typed code, and against what a hostile peer may write.

mod golden;
mod hostile;
mod round_trip;
mod types;

use std::sync::Arc;

use wasmtime::{
    Config, Engine,
    component::{Component, Val, types::ComponentItem},
};
use wattle_core::Interface;

use super::{
    interface::items,
    resources::{Resource, Resources},
    shape::{Shapes, Signature},
};
use crate::actors::{ActorError, imports};

/// What a component imports over the bridge.
#[derive(Debug)]
struct Imported {
    functions: Vec<(String, Signature)>,
    resources: Arc<[Resource]>,
}

/// What a component of this text imports.
fn imported(text: &str) -> Result<Imported, ActorError> {
    let engine = Engine::new(Config::new().wasm_component_model(true)).expect("an engine");
    let component = Component::new(&engine, format!("(component $world {text})"));
    let component = component.expect("a component");
    let resources = Resources::of(&component)?;
    let (mut shapes, mut functions) = (Shapes::of_imports(&resources), Vec::new());
    for (name, item) in component.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(ty) = item.ty else { panic!("no interface") };
        let interface: Interface = name.parse().expect("an interface");
        if !imports::serves(&interface) {
            let found = items(&engine, &mut shapes, "imports", &interface, &ty)?;
            functions.extend(found.functions);
        }
    }
    Ok(Imported { functions, resources: resources.bridged() })
}

/// The functions of an interface with these items.
fn functions_of(items: &str) -> Result<Vec<(String, Signature)>, ActorError> {
    let text = format!(r#"(import "wattle-test:bridge/all" (instance {items}))"#);
    imported(&text).map(|imported| imported.functions)
}

/// The one of this name.
fn signature(items: &str, function: &str) -> Signature {
    let all = functions_of(items).expect("the bridge carries it");
    let found = all.into_iter().find(|(name, _)| name == function);
    found.expect("there is such a function").1
}

/// A function that takes `value` and gives the same type.
fn of_type(types: &str, ty: &str) -> Signature {
    let items = format!(r#"{types} (export "same" (func (param "value" {ty}) (result {ty})))"#);
    signature(&items, "same")
}

fn text(text: &str) -> Val {
    Val::String(text.to_owned())
}

fn bytes(bytes: &[u8]) -> Val {
    Val::List(bytes.iter().copied().map(Val::U8).collect())
}

fn some(value: Val) -> Val {
    Val::Option(Some(Box::new(value)))
}

fn list(values: impl IntoIterator<Item = Val>) -> Val {
    Val::List(values.into_iter().collect())
}
