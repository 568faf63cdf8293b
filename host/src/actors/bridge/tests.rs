//! The bridge against typed code, and against what a hostile peer may write.

mod golden;
mod hostile;
mod round_trip;
mod types;

use wasmtime::{
    Config, Engine,
    component::{Component, Val, types::ComponentItem},
};
use wattle_core::Interface;

use super::{
    interface::functions,
    shape::{Shapes, Signature},
};
use crate::actors::ActorError;

/// The functions of the one interface that a component of this text imports.
fn functions_of(items: &str) -> Result<Vec<(String, Signature)>, ActorError> {
    let engine = Engine::new(Config::new().wasm_component_model(true)).expect("an engine");
    let text = format!(r#"(component (import "wattle-test:bridge/all" (instance {items})))"#);
    let component = Component::new(&engine, text).expect("a component");
    let interface: Interface = "wattle-test:bridge/all".parse().expect("an interface");
    let imported = component.component_type();
    let (_, item) = imported.imports(&engine).next().expect("it imports one");
    let ComponentItem::ComponentInstance(ty) = item.ty else { panic!("it imports an interface") };
    functions(&engine, &mut Shapes::new(), "imports", &interface, &ty)
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
