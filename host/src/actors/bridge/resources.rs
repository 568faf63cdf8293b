//! The resource types that a component imports: which of them live behind a link, and which in this host.

use std::sync::Arc;

use wasmtime::{
    Engine,
    component::{
        Component, ResourceType,
        types::{ComponentInstance, ComponentItem},
    },
};
use wattle_core::{Interface, handle::drop_function};

use crate::actors::{ActorError, imports};

/// Resource types that a component may import; it is asked of each type of each function which of them it is.
const RESOURCES_MAX: usize = 256;

/// All of a component's, each where it was first imported: an interface that `use`s another's resource means the same.
#[derive(Default)]
pub(super) struct Resources {
    types: Vec<(ResourceType, Place)>,
    bridged: Vec<Resource>,
}

enum Place {
    /// Behind a link: where it stands in `bridged`.
    Bridged(u32),
    /// In this host, which has code of its own for the interface. Its name.
    Host(Arc<str>),
}

/// A resource type that lives behind a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// The interface that defines it.
    pub(super) interface: Interface,
    /// What drops it.
    pub(super) drop_function: Box<str>,
}

impl Resources {
    /// Those of this component.
    pub(super) fn of(component: &Component) -> Result<Self, ActorError> {
        let engine = component.engine();
        let mut all = Self::default();
        // A component's types come before what uses them.
        for (name, item) in component.component_type().imports(engine) {
            let ComponentItem::ComponentInstance(ty) = item.ty else { continue };
            let Ok(interface) = name.parse::<Interface>() else { continue };
            all.add(engine, &interface, &ty)?;
        }
        Ok(all)
    }

    fn add(
        &mut self,
        engine: &Engine,
        interface: &Interface,
        ty: &ComponentInstance,
    ) -> Result<(), ActorError> {
        for (name, item) in ty.exports(engine) {
            let ComponentItem::Resource(ty) = item.ty else { continue };
            if self.types.iter().any(|(known, _)| *known == ty) {
                continue;
            }
            if self.types.len() == RESOURCES_MAX {
                let text = format!("it imports more than {RESOURCES_MAX} resource types");
                return Err(ActorError::Link(text));
            }
            let place = if imports::serves(interface) {
                Place::Host(format!("{interface}.{name}").into())
            } else {
                let drop_function = drop_function(name).into();
                self.bridged.push(Resource { interface: interface.clone(), drop_function });
                Place::Bridged(self.bridged.len() as u32 - 1)
            };
            self.types.push((ty, place));
        }
        Ok(())
    }

    /// Where a resource type stands among those that live behind links; else its name.
    pub(super) fn find(&self, ty: &ResourceType) -> Result<u32, Arc<str>> {
        match self.types.iter().find(|(known, _)| known == ty) {
            Some((_, Place::Bridged(at))) => Ok(*at),
            Some((_, Place::Host(name))) => Err(name.clone()),
            None => Err("that it imports beside all interfaces".into()),
        }
    }

    /// Those that live behind links.
    pub(super) fn bridged(&self) -> Arc<[Resource]> {
        self.bridged.clone().into()
    }
}
