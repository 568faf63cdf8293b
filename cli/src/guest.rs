//! Guests: from a crate to a component.

pub(crate) mod cargo;
pub(crate) mod toolchain;

/// What guests are compiled for; its output is a component already.
pub(crate) const TARGET: &str = "wasm32-wasip2";
