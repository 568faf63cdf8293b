//! What an actor can import: the ambient interfaces, which need no grant, and the contracts, whose every call goes through the
//! router.

mod blobstore;
mod bus;
mod config;
mod control;
mod http;
pub(super) mod keyvalue;
mod logging;
mod messaging;
mod postgres;
mod secrets;
mod sql;

use wasmtime::{
    Engine,
    component::{HasData, Linker},
};
use wattle_core::Interface;

pub(super) use self::postgres::PreparedTokens;
use super::instance::Instance;

/// Gives the generated bindings a whole instance as their host.
struct WholeInstance;

impl HasData for WholeInstance {
    type Data<'a> = &'a mut Instance;
}

/// Packages of which every interface is ambient or has an adapter here. What is of another package goes over the bridge.
const SERVED: [&str; 16] = [
    "wasi:blobstore",
    "wasi:cli",
    "wasi:clocks",
    "wasi:config",
    "wasi:filesystem",
    "wasi:http",
    "wasi:io",
    "wasi:keyvalue",
    "wasi:logging",
    "wasi:random",
    "wasi:sockets",
    "wasmcloud:bus",
    "wasmcloud:messaging",
    "wasmcloud:secrets",
    "wattle:control",
    "wattle:sql",
];

/// Interfaces of these packages whose imports go over the bridge all the same: it is other actors that answer them.
const BRIDGED: [&str; 2] = ["wasmcloud:messaging/handler", wattle_control::WATCHER];

/// Whether the host itself is at the other end of the interface, or has code of its own for it.
pub(super) fn serves(interface: &Interface) -> bool {
    SERVED.contains(&interface.package()) && !BRIDGED.contains(&interface.as_str())
}

/// Whether an import has an adapter here although the bridge would carry it as well.
pub(super) fn adapts(import: &str) -> bool {
    postgres::INTERFACES.contains(&import)
}

/// What all actors of this host may import without the bridge. What is of these packages and not in it fails the actor's start,
/// by name.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Instance>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    // Once more by its own means: the one before would make a context for every stream that is touched.
    linker.allow_shadowing(true);
    wasmtime_wasi_io::add_to_linker_async(&mut linker)?;
    linker.allow_shadowing(false);
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    http::link(&mut linker)?;
    keyvalue::link(&mut linker)?;
    blobstore::link(&mut linker)?;
    sql::link(&mut linker)?;
    postgres::link(&mut linker)?;
    messaging::link(&mut linker)?;
    secrets::link(&mut linker)?;
    control::link(&mut linker)?;
    config::link(&mut linker)?;
    logging::link(&mut linker)?;
    bus::link(&mut linker)?;
    Ok(linker)
}
