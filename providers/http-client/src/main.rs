//! `wattle-http-client`: the provider's process.

use std::process::ExitCode;

mod body;
mod connector;
mod failure;
mod link;
mod near;
mod provider;
mod request;
mod resolver;
mod settings;
mod tls;

fn main() -> ExitCode {
    wattle_sdk::main::<provider::HttpClient>()
}
