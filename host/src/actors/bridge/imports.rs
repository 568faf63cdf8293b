//! What an actor imports beyond what the host ships: every function becomes a call through the router.

use std::sync::Arc;

use wasmtime::{
    StoreContextMut,
    component::{Component, Linker, ResourceType, Val, types::ComponentItem},
};
use wattle_core::{CallError, EntityId, ErrorKind, Interface};

use super::{
    decode, encode,
    freight::LANE_BYTES_MAX,
    handles::{lift, lower},
    interface::items,
    release::dropped,
    resources::{Resource, Resources},
    shape::{Shapes, Signature},
};
use crate::actors::{
    ActorError,
    background::leave_the_lane,
    imports,
    instance::{Instance, InstanceCaller},
};

/// One function that an actor imports.
struct Import {
    interface: Interface,
    function: String,
    signature: Signature,
    /// The component's resources.
    resources: Arc<[Resource]>,
    /// The other interfaces that define those which the function takes or gives.
    others: Vec<Interface>,
}

/// The linker of an actor that imports more than all actors can; nothing, for one that does not.
pub(in crate::actors) fn link(
    shared: &Linker<Instance>,
    component: &Component,
) -> Result<Option<Linker<Instance>>, ActorError> {
    let resources = Resources::of(component)?;
    let bridged = resources.bridged();
    let mut shapes = Shapes::of_imports(&resources);
    let mut linker = None;
    for (name, item) in component.component_type().imports(component.engine()) {
        let ComponentItem::ComponentInstance(ty) = item.ty else { continue };
        let Ok(interface) = name.parse::<Interface>() else { continue };
        if imports::serves(&interface) || imports::adapts(name) {
            continue;
        }
        let found = items(component.engine(), &mut shapes, "imports", &interface, &ty)?;
        let linker = linker.get_or_insert_with(|| shared.clone());
        let failed = |error| ActorError::Link(format!("{error:#}"));
        for (resource, at) in found.resources {
            define_resource(linker, name, &resource, at).map_err(failed)?;
        }
        for (function, signature) in found.functions {
            let import = Import::new(interface.clone(), function, signature, bridged.clone());
            define(linker, name, import).map_err(failed)?;
        }
    }
    Ok(linker)
}

fn define(linker: &mut Linker<Instance>, name: &str, import: Import) -> wasmtime::Result<()> {
    let function = import.function.clone();
    let import = Arc::new(import);
    linker.instance(name)?.func_new_async(&function, move |store, _, params, results| {
        let import = import.clone();
        if import.signature.handles.is_some() {
            return Box::new(async move {
                let called = import.call_with_handles(store, params, results).await;
                called.map_err(|error| import.failed(error).into())
            });
        }
        let caller = store.data().caller.clone();
        Box::new(async move {
            let called = import.call(&caller, params, results).await;
            called.map_err(|error| import.failed(error).into())
        })
    })
}

fn define_resource(
    linker: &mut Linker<Instance>,
    name: &str,
    resource: &str,
    at: u32,
) -> wasmtime::Result<()> {
    let ty = ResourceType::host_dynamic(at);
    linker.instance(name)?.resource_async(resource, ty, |store, place| {
        Box::new(async move {
            dropped(store, place).await;
            Ok(())
        })
    })
}

impl Import {
    fn new(
        interface: Interface,
        function: String,
        signature: Signature,
        resources: Arc<[Resource]>,
    ) -> Self {
        let used = signature.handles.iter().flat_map(|handles| &handles.resources);
        let mut others: Vec<Interface> = used
            .filter_map(|at| Some(resources.get(*at as usize)?.interface.clone()))
            .filter(|defining| *defining != interface)
            .collect();
        others.sort_unstable();
        others.dedup();
        Self { interface, function, signature, resources, others }
    }

    async fn call(
        &self,
        caller: &InstanceCaller,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<(), CallError> {
        let params = encode::params(&self.signature, params)?;
        caller.freight().carried(params.len());
        let result = caller.call(self.interface.as_str(), &self.function, params).await?;
        if result.len() > LANE_BYTES_MAX {
            leave_the_lane().await;
        }
        let value = decode::result(&self.signature, &result)?;
        if let Some((place, value)) = results.first_mut().zip(value) {
            *place = value;
        }
        Ok(())
    }

    /// The same with handles in what is given or got.
    async fn call_with_handles(
        &self,
        mut store: StoreContextMut<'_, Instance>,
        params: &[Val],
        results: &mut [Val],
    ) -> Result<(), CallError> {
        let Some(handles) = &self.signature.handles else { return Ok(()) };
        let given = lift(&mut store, &self.signature, handles, params)?;
        let params = encode::params(&self.signature, &given.values)?;
        let caller = store.data().caller.clone();
        caller.freight().carried(params.len());
        let (interface, function) = (self.interface.as_str(), &self.function);
        let called =
            caller.call_with_handles(interface, function, &self.others, given.origin, params);
        let (result, origin) = called.await?;
        given.handed_over.iter().for_each(|place| store.data_mut().handles.remove(*place));
        // It does not leave the lane with what is much: an instance that ends meanwhile would not know what it was given. The
        // actor's next calls begin in the background.
        caller.freight().carried(result.len());
        let value = decode::result(&self.signature, &result)?;
        let typed = self.signature.result.as_ref().zip(value);
        if let (Some(place), Some((shape, mut value))) = (results.first_mut(), typed) {
            lower(&mut store, &self.resources, &origin, shape, &mut value)?;
            *place = value;
        }
        Ok(())
    }

    fn failed(&self, error: CallError) -> ImportFailed {
        ImportFailed::new(self.interface.as_str(), &self.function, error)
    }
}

/// A call that an actor made and that failed. WIT has no place for it, so it ends the actor as a trap would.
#[derive(Clone, Debug, thiserror::Error)]
#[error("its call of {import} failed ({}): {}", .error.kind.as_str(), self.reason())]
pub(in crate::actors) struct ImportFailed {
    import: String,
    error: CallError,
}

impl ImportFailed {
    /// How a call of this function failed.
    pub(in crate::actors) fn new(interface: &str, function: &str, error: CallError) -> Self {
        Self { import: format!("{interface}.{function}"), error }
    }

    /// Another actor's answer begins with the function's name, too.
    fn reason(&self) -> &str {
        let message = &self.error.message;
        let rest = message.strip_prefix(&self.import).and_then(|rest| rest.strip_prefix(": "));
        rest.unwrap_or(message)
    }

    /// What it is to those who called the actor.
    pub(in crate::actors) fn of(&self, actor: &EntityId) -> CallError {
        CallError::new(passed_on(self.error.kind), format!("{actor}: {self}"))
    }
}

/// The kind that the actor's own caller sees. The actor did run, so a kind that says that nothing ran would have its call sent
/// again; and what its claims or links lack is no matter of its caller's grants.
fn passed_on(kind: ErrorKind) -> ErrorKind {
    match kind {
        ErrorKind::DeadlineExceeded
        | ErrorKind::Interrupted
        | ErrorKind::Cancelled
        | ErrorKind::LimitExceeded => kind,
        ErrorKind::Denied
        | ErrorKind::NotFound
        | ErrorKind::Unavailable
        | ErrorKind::Overloaded
        | ErrorKind::TooLarge
        | ErrorKind::Malformed
        | ErrorKind::Trapped
        | ErrorKind::Failed => ErrorKind::Trapped,
    }
}
