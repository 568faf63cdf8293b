//! `wattle stop`: calls under way finish, then it is gone.

use clap::{Args, Subcommand};
use wattle_core::{EntityId, control::Command};

use super::Context;
use crate::exit::Exit;

/// Stop an actor or a provider
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle stop actor counter")]
pub(crate) enum StopCommand {
    /// Stop an actor: calls under way finish, new ones are refused
    #[command(after_help = "Example:\n  wattle stop actor counter")]
    Actor(StopArgs),
    /// Drain and stop a provider
    #[command(after_help = "Example:\n  wattle stop provider http-server")]
    Provider(StopArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// The id it runs under
    id: EntityId,
}

pub(crate) async fn run(context: &Context, command: StopCommand) -> anyhow::Result<Exit> {
    let (id, command) = match command {
        StopCommand::Actor(args) => (args.id.clone(), Command::StopActor { id: args.id }),
        StopCommand::Provider(args) => (args.id.clone(), Command::StopProvider { id: args.id }),
    };
    let session = context.session().await?;
    let host = session.host().await?;
    let step = context.output.step(&format!("stopping {id}"));
    let done = session.make_so(&host, command).await?;
    step.done(if done.unchanged { "it did not run" } else { "stopped" });
    context.output.answer(&done, || done.or(format!("{id} is stopped")));
    Ok(Exit::Ok)
}
