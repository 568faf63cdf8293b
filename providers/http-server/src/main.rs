//! `wattle-http-server`: what comes over HTTP goes to the actor that a link names, and its answer goes back.
//!
//! In the order of a request: [`listener`] accepts, [`connection`] speaks HTTP, [`exchange`] finds the route and calls the
//! host, [`body`] carries both streams. [`server`] takes links and keeps the listeners.

mod body;
mod connection;
mod exchange;
mod listener;
mod refusal;
mod routes;
mod server;
mod settings;
mod tls;
mod trace;

use std::process::ExitCode;

fn main() -> ExitCode {
    wattle_sdk::main::<server::HttpServer>()
}
