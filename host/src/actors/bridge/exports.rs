//! Calls to an actor's exported functions: decode, run in a fresh instance, encode.

use std::{collections::BTreeMap, future::poll_fn, sync::Arc};

use wasmtime::{
    Store,
    component::{Component, ComponentExportIndex, Val, types::ComponentItem},
};
use wattle_core::{CallError, Interface, call::unknown_function};
use wattle_wire::{Reply, Request};

use super::{
    decode, encode,
    freight::LANE_BYTES_MAX,
    interface::items,
    shape::{Shapes, Signature},
};
use crate::{
    actors::{
        Actor, ActorError,
        background::{Guest, leave_the_lane},
        deadline::by_deadline,
        gate::Pass,
        imports,
        instance::{CallContext, Instance, guest_error},
    },
    router::Router,
};

/// Names of functions that an error lists.
const NAMED_MAX: usize = 12;

/// The functions that the bridge calls, looked up once.
pub(in crate::actors) struct Exports(BTreeMap<Interface, BTreeMap<String, Arc<Export>>>);

/// One function.
pub(in crate::actors) struct Export {
    /// `interface.function`, for errors.
    name: String,
    index: ComponentExportIndex,
    signature: Signature,
}

impl Exports {
    /// What the component exports and its claims list.
    pub(in crate::actors) fn new(
        component: &Component,
        claimed: &[Interface],
    ) -> Result<Self, ActorError> {
        let mut exports = BTreeMap::new();
        let mut shapes = Shapes::of_exports();
        for (name, item) in component.component_type().exports(component.engine()) {
            let ComponentItem::ComponentInstance(ty) = item.ty else { continue };
            let Ok(interface) = name.parse::<Interface>() else { continue };
            let has_adapter =
                imports::serves(&interface) || interface.as_str() == wattle_messaging::HANDLER;
            if has_adapter || !claimed.contains(&interface) {
                continue;
            }
            let found = items(component.engine(), &mut shapes, "exports", &interface, &ty)?;
            let found = found.functions.into_iter().map(|(function, signature)| {
                let export = Export::new(component, name, &interface, &function, signature)?;
                Ok((function, Arc::new(export)))
            });
            let found = found.collect::<Result<_, ActorError>>()?;
            if exports.insert(interface, found).is_some() {
                // Grants and calls name no version, so a call could mean either.
                return Err(ActorError::Link(format!("it exports two versions of {name}")));
            }
        }
        Ok(Self(exports))
    }

    pub(in crate::actors) fn find(
        &self,
        interface: &str,
        function: &str,
    ) -> Result<&Arc<Export>, CallError> {
        let of = self.0.iter().find(|(name, _)| name.as_str() == interface).map(|(_, of)| of);
        of.and_then(|of| of.get(function)).ok_or_else(|| {
            let mut error = unknown_function(interface, function);
            if let Some(of) = of {
                let names: Vec<&str> = of.keys().take(NAMED_MAX).map(String::as_str).collect();
                error.message.push_str(&format!("; it has {}", names.join(", ")));
            }
            error
        })
    }
}

impl Export {
    fn new(
        component: &Component,
        instance: &str,
        interface: &Interface,
        function: &str,
        signature: Signature,
    ) -> Result<Self, ActorError> {
        let name = format!("{interface}.{function}");
        let index = component
            .get_export_index(None, instance)
            .and_then(|instance| component.get_export_index(Some(&instance), function))
            .ok_or_else(|| ActorError::Link(format!("it exports no {name}")))?;
        Ok(Self { name, index, signature })
    }

    /// The same error, saying which function it is about.
    fn blamed(&self, error: CallError) -> CallError {
        CallError::new(error.kind, format!("{}: {}", self.name, error.message))
    }
}

/// Answers one call with a fresh instance of `actor`.
///
/// # Cancel safety
/// Dropping the future ends the instance.
pub(in crate::actors) async fn answer(
    actor: &Arc<Actor>,
    export: &Arc<Export>,
    router: &Arc<Router>,
    request: Request,
    context: CallContext,
    pass: Pass,
) -> Result<Reply, CallError> {
    let result = call(actor, export.clone(), router, request, context).await;
    drop(pass);
    let result = result.map_err(|error| export.blamed(error))?;
    Ok(Reply { result: result.into(), body: None })
}

async fn call(
    actor: &Arc<Actor>,
    export: Arc<Export>,
    router: &Arc<Router>,
    request: Request,
    context: CallContext,
) -> Result<Vec<u8>, CallError> {
    let deadline = context.deadline;
    let params = request.params;
    let mut store = Instance::store(actor, router, context);
    let (pre, heavy) = (actor.pre.clone(), actor.freight.is_heavy());
    let run = Box::pin(async move {
        if heavy || params.len() > LANE_BYTES_MAX {
            leave_the_lane().await;
        }
        let params = decode::params(&export.signature, &params)?;
        let mut results = vec![Val::Bool(false); usize::from(export.signature.result.is_some())];
        let ran = run(&mut store, &pre, &export, &params, &mut results).await;
        ran.map_err(|error| guest_error(&error, store.data()))?;
        let result = encode::result(&export.signature, &results)?;
        store.data().caller.actor.freight.carried(result.len());
        Ok(result)
    });
    let mut guest = Guest::new(run, actor.background.clone());
    by_deadline(deadline, poll_fn(|cx| guest.poll(cx))).await
}

async fn run(
    store: &mut Store<Instance>,
    pre: &wasmtime::component::InstancePre<Instance>,
    export: &Export,
    params: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let instance = pre.instantiate_async(&mut *store).await?;
    let function = instance
        .get_func(&mut *store, export.index)
        .ok_or_else(|| wasmtime::Error::msg(format!("it exports no {}", export.name)))?;
    function.call_async(store, params, results).await
}

#[cfg(test)]
mod tests {
    use wasmtime::{Config, Engine};
    use wattle_core::ErrorKind;

    use super::*;

    fn exports(names: &[&str], claimed: &[&str]) -> Result<Exports, ActorError> {
        let exported: String =
            names.iter().map(|name| format!(r#"(export "{name}" (instance $i))"#)).collect();
        let text = format!(
            r#"(core module $module (func (export "run")))
                (core instance $core (instantiate $module))
                (func $run (canon lift (core func $core "run")))
                (instance $i (export "run" (func $run)))
                {exported}"#
        );
        exports_of(&text, claimed)
    }

    fn exports_of(text: &str, claimed: &[&str]) -> Result<Exports, ActorError> {
        let text = format!("(component {text})");
        let engine = Engine::new(Config::new().wasm_component_model(true)).expect("an engine");
        let component = Component::new(&engine, text).expect("a component");
        let claimed = claimed.iter().map(|name| name.parse().expect("an interface"));
        Exports::new(&component, &claimed.collect::<Vec<_>>())
    }

    #[test]
    fn what_is_exported_claimed_and_not_the_hosts_own_is_found() {
        let all = ["a:b/c@0.1.0", "a:b/d", "wasi:keyvalue/watcher@0.2.0-draft"];
        let exports = exports(&all, &["a:b/c", "wasi:keyvalue/watcher"]).expect("it is linked");
        assert!(exports.find("a:b/c", "run").is_ok());
        for (interface, function) in
            [("a:b/c", "walk"), ("a:b/d", "run"), ("wasi:keyvalue/watcher", "run")]
        {
            let missing = exports.find(interface, function).map(drop).expect_err("not there");
            assert_eq!(missing.kind, ErrorKind::NotFound, "{interface}");
        }
    }

    #[test]
    fn two_versions_of_an_interface_could_both_be_meant() {
        let error = exports(&["a:b/c@0.1.0", "a:b/c@0.2.0"], &["a:b/c"]).map(drop);
        assert!(error.expect_err("which one?").to_string().contains("two versions"));
    }

    #[test]
    fn an_actor_that_exports_a_resource_is_told_which_and_why_not() {
        let text = r#"
            (type $cart (resource (rep i32)))
            (instance $i (export "cart" (type $cart)))
            (export "a:b/carts@0.1.0" (instance $i))"#;
        let why = exports_of(text, &["a:b/carts"]).map(drop).expect_err("refused").to_string();
        for part in ["a:b/carts", "cart", "lives for one call", "only a provider"] {
            assert!(why.contains(part), "{why}");
        }
        assert!(exports_of(text, &[]).is_ok(), "nobody can call what its claims do not list");
    }
}
