//! `wattle new`: crates to begin with.

mod actor;
mod contract;
mod crates;
mod provider;

use clap::Subcommand;

use super::Context;
use crate::exit::Exit;

/// Begin an actor, or a provider of an interface of your own
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle new provider label-printer --wit labels.wit")]
pub(crate) enum NewCommand {
    /// Make the crate of an actor that answers HTTP
    Actor(actor::ActorArgs),
    /// Make the crate of a provider that answers the interfaces of a WIT
    Provider(provider::ProviderArgs),
    /// Write a provider's src/contract.rs again, after its WIT has changed
    Contract(contract::ContractArgs),
}

pub(crate) fn run(context: &Context, command: NewCommand) -> anyhow::Result<Exit> {
    match command {
        NewCommand::Actor(args) => actor::run(context, &args),
        NewCommand::Provider(args) => provider::run(context, &args),
        NewCommand::Contract(args) => contract::run(context, &args),
    }
}
