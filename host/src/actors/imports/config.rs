//! `wasi:config`: the actor's own settings. Ambient: an actor reads what it was started with and nothing else.

use wasmtime::component::Linker;

use super::WholeInstance;
use crate::actors::instance::Instance;

mod draft {
    wasmtime::component::bindgen!({
        path: "../interfaces/config/wit/draft",
        world: "imports",
    });
}

mod rc {
    wasmtime::component::bindgen!({
        path: "../interfaces/config/wit/rc",
        world: "imports",
    });
}

pub(super) fn link(linker: &mut Linker<Instance>) -> wasmtime::Result<()> {
    draft::Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)?;
    rc::Imports::add_to_linker::<Instance, WholeInstance>(linker, |instance| instance)
}

impl Instance {
    fn setting(&self, key: &str) -> Option<String> {
        self.caller.actor.config.load().get(key).cloned()
    }

    fn settings(&self) -> Vec<(String, String)> {
        self.caller
            .actor
            .config
            .load()
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }
}

/// The three interfaces differ in nothing but the names of their errors, none of which can happen here.
macro_rules! serve_config {
    ($($interface:path => $error:path),*) => {$(
        impl $interface for &mut Instance {
            fn get(&mut self, key: String) -> Result<Option<String>, $error> {
                Ok(self.setting(&key))
            }

            fn get_all(&mut self) -> Result<Vec<(String, String)>, $error> {
                Ok(self.settings())
            }
        }
    )*};
}

serve_config!(
    draft::wasi::config::runtime::Host => draft::wasi::config::runtime::ConfigError,
    draft::wasi::config::store::Host => draft::wasi::config::store::Error,
    rc::wasi::config::store::Host => rc::wasi::config::store::Error
);
