//! `wattle app`: declared applications.

mod schema;
mod validate;

use clap::Subcommand;

use super::Context;
use crate::exit::Exit;

/// Work with applications that a manifest declares
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle app validate wadm.yaml")]
pub(crate) enum AppCommand {
    Validate(validate::ValidateArgs),
    Schema(schema::SchemaArgs),
}

pub(crate) fn run(context: &Context, command: &AppCommand) -> anyhow::Result<Exit> {
    match command {
        AppCommand::Validate(args) => validate::run(context, args),
        AppCommand::Schema(_) => schema::run(context),
    }
}
