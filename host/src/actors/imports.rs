//! What an actor can import: the ambient interfaces, which need no grant, and the contracts, whose every call goes through the
//! router.

mod bus;
mod config;
mod keyvalue;
mod logging;

use wasmtime::{
    Engine,
    component::{HasData, Linker},
};

use super::instance::Instance;

/// Gives the generated bindings a whole instance as their host.
struct WholeInstance;

impl HasData for WholeInstance {
    type Data<'a> = &'a mut Instance;
}

/// Everything that actors of this host may import. What is not in it fails the actor's start, by name.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Instance>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    keyvalue::link(&mut linker)?;
    config::link(&mut linker)?;
    logging::link(&mut linker)?;
    bus::link(&mut linker)?;
    Ok(linker)
}
