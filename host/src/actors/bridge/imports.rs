//! What an actor imports beyond what the host ships: every function becomes a call through the router.

use std::sync::Arc;

use wasmtime::component::{Component, Linker, Val, types::ComponentItem};
use wattle_core::{CallError, EntityId, ErrorKind, Interface};

use super::{
    decode, encode,
    freight::LANE_BYTES_MAX,
    interface::functions,
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
}

/// The linker of an actor that imports more than all actors can; nothing, for one that does not.
pub(in crate::actors) fn link(
    shared: &Linker<Instance>,
    component: &Component,
) -> Result<Option<Linker<Instance>>, ActorError> {
    let mut shapes = Shapes::new();
    let mut linker = None;
    for (name, item) in component.component_type().imports(component.engine()) {
        let ComponentItem::ComponentInstance(ty) = item.ty else { continue };
        let Ok(interface) = name.parse::<Interface>() else { continue };
        if imports::serves(&interface) {
            continue;
        }
        let found = functions(component.engine(), &mut shapes, "imports", &interface, &ty)?;
        let linker = linker.get_or_insert_with(|| shared.clone());
        for (function, signature) in found {
            let interface = interface.clone();
            define(linker, name, Import { interface, function, signature })
                .map_err(|error| ActorError::Link(format!("{error:#}")))?;
        }
    }
    Ok(linker)
}

fn define(linker: &mut Linker<Instance>, name: &str, import: Import) -> wasmtime::Result<()> {
    let function = import.function.clone();
    let import = Arc::new(import);
    linker.instance(name)?.func_new_async(&function, move |store, _, params, results| {
        let (import, caller) = (import.clone(), store.data().caller.clone());
        Box::new(async move {
            let called = import.call(&caller, params, results).await;
            called.map_err(|error| import.failed(error).into())
        })
    })
}

impl Import {
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

    fn failed(&self, error: CallError) -> ImportFailed {
        ImportFailed { import: format!("{}.{}", self.interface, self.function), error }
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
