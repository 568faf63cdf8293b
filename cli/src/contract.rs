//! A WIT's interfaces as Rust: what `wattle new provider` writes of them.
//!
//! [`Contract::read`] takes from a WIT what a provider answers, gives everything its name in Rust, and says what cannot be carried.
//! [`Contract::to_rust`] writes `src/contract.rs`, which `wattle new contract` writes anew; [`Contract::implementation`] writes
//! the places to fill in, once.

mod answer;
mod failure;
mod functions;
mod implementation;
mod model;
mod names;
mod place;
mod read;
mod text;
mod types;

pub(crate) use implementation::provider_type;
pub(crate) use model::Contract;
pub(crate) use names::is_keyword;
pub(crate) use read::interfaces;
