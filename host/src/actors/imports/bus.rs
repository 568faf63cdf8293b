//! `wasmcloud:bus`: an actor chooses at run time which of its links the calls that follow take.

use wasmtime::component::{Linker, Resource};
use wattle_core::{Interface, LinkName, interface::INTERFACE_LEN_MAX};

use super::WholeInstance;
use crate::actors::instance::Instance;

mod v1 {
    wasmtime::component::bindgen!({
        path: "../interfaces/bus/wit/v1",
        world: "imports",
        imports: { default: trappable },
        with: { "wasmcloud:bus/lattice.call-target-interface": super::TargetInterface },
    });
}

mod v2 {
    wasmtime::component::bindgen!({
        path: "../interfaces/bus/wit/v2",
        world: "imports",
        imports: { default: trappable },
        with: { "wasmcloud:bus/lattice.call-target-interface": super::TargetInterface },
    });
}

/// Interfaces whose link an instance may have chosen.
const CHOSEN_MAX: usize = 64;

/// An interface, by name, as the guest put it together. None where that is no interface's name: it is not kept, since it may have any
/// length, and nothing is ever called by it.
#[allow(unreachable_pub, reason = "the generated bindings name it as public")]
pub struct TargetInterface(Option<Interface>);

impl TargetInterface {
    fn new(namespace: &str, package: &str, interface: &str) -> Self {
        let len = namespace.len() + package.len() + interface.len();
        let fits = len < INTERFACE_LEN_MAX;
        Self(fits.then(|| format!("{namespace}:{package}/{interface}").parse().ok()).flatten())
    }
}

pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    v1::Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)?;
    v2::Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)
}

impl Instance {
    fn choose_link(
        &mut self,
        name: &str,
        interfaces: Vec<Resource<TargetInterface>>,
    ) -> wasmtime::Result<Result<(), String>> {
        let chosen = LinkName::spelled(name); // as the manifest that names the link is read
        for interface in interfaces {
            let TargetInterface(interface) = self.table.delete(interface)?;
            let (Ok(name), Some(interface)) = (&chosen, interface) else { continue };
            self.caller.link_names.retain(|(of, _)| *of != interface);
            if self.caller.link_names.len() == CHOSEN_MAX {
                return Ok(Err(format!(
                    "link names of more than {CHOSEN_MAX} interfaces are chosen"
                )));
            }
            self.caller.link_names.push((interface, name.clone()));
        }
        Ok(chosen.map(drop).map_err(|error| error.to_string()))
    }

    fn target_interface(
        &mut self,
        namespace: &str,
        package: &str,
        interface: &str,
    ) -> wasmtime::Result<Resource<TargetInterface>> {
        Ok(self.table.push(TargetInterface::new(namespace, package, interface))?)
    }
}

impl v1::wasmcloud::bus::lattice::Host for &mut Instance {
    /// Version 1 has no way to answer an error, so a name that cannot be one traps.
    fn set_link_name(
        &mut self,
        name: String,
        interfaces: Vec<Resource<TargetInterface>>,
    ) -> wasmtime::Result<()> {
        self.choose_link(&name, interfaces)?.map_err(wasmtime::Error::msg)
    }
}

impl v2::wasmcloud::bus::lattice::Host for &mut Instance {
    fn set_link_name(
        &mut self,
        name: String,
        interfaces: Vec<Resource<TargetInterface>>,
    ) -> wasmtime::Result<Result<(), String>> {
        self.choose_link(&name, interfaces)
    }
}

macro_rules! serve_target_interface {
    ($($version:ident),*) => {$(
        impl $version::wasmcloud::bus::lattice::HostCallTargetInterface for &mut Instance {
            fn new(&mut self, namespace: String, package: String, interface: String) -> wasmtime::Result<Resource<TargetInterface>> {
                self.target_interface(&namespace, &package, &interface)
            }

            fn drop(&mut self, interface: Resource<TargetInterface>) -> wasmtime::Result<()> {
                self.table.delete(interface)?;
                Ok(())
            }
        }
    )*};
}

serve_target_interface!(v1, v2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_an_interface_is_kept_of_a_target() {
        let kept = |namespace, package, interface: &str| {
            let TargetInterface(interface) = TargetInterface::new(namespace, package, interface);
            interface.map(|interface| interface.to_string())
        };
        let store = kept("wasi", "keyvalue", "store");
        assert_eq!(store.as_deref(), Some("wasi:keyvalue/store"));
        let dated = kept("wasi", "keyvalue", "store@0.2.0-draft");
        assert_eq!(dated, store);
        for none in ["", "no interface", &"x".repeat(INTERFACE_LEN_MAX)] {
            assert_eq!(kept("wasi", "keyvalue", none), None);
        }
    }
}
