//! everything: a provider of `wattle-test:everything/carts`, `wattle-test:everything/checkout`, `wattle-test:everything/shapes`.

#[rustfmt::skip] // as `wattle new contract` writes it
pub mod contract;
mod provider;

pub use provider::Everything;
