//! The bridge: any WIT interface, exported or imported, without code of its own in the host.
//!
//! A component says which types its functions have. From them the bridge makes its side of the wire: values as the serde types of a
//! typed contract would be written (`wattle_core::codec`), so that either end may be typed code. Interfaces with an adapter in
//! `actors/imports` never come here, because a [`Val`](wasmtime::component::Val) costs more than a typed value.

mod decode;
mod encode;
mod exports;
mod freight;
mod handles;
mod imports;
mod interface;
mod release;
mod resources;
mod shape;
#[cfg(test)]
mod tests;

pub(super) use self::{
    decode::VALUES_BYTES_MAX,
    exports::{Exports, answer},
    freight::Freight,
    handles::Handles,
    imports::{ImportFailed, link},
    release::Releases,
};
