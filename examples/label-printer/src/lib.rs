//! label-printer: a provider of `example:labels/printer`, for printers that speak ZPL over TCP.

mod connection;
#[rustfmt::skip] // as `wattle new contract` writes it
pub mod contract;
mod label;
mod provider;
mod settings;
mod zpl;

pub use label::Label;
pub use provider::LabelPrinter;
