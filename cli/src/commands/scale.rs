//! `wattle scale`: how many calls at once an actor takes.

use std::num::NonZeroU16;

use clap::{Args, Subcommand};
use wattle_core::{
    EntityId,
    control::{Command, Scale},
};

use super::Context;
use crate::exit::Exit;

/// Change how many calls at once an actor takes on a host
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle scale actor counter 100")]
pub(crate) enum ScaleCommand {
    /// Change how many calls at once an actor takes; each runs in an instance of its own
    #[command(after_help = "Examples:
  wattle scale actor counter 100
  wattle scale actor counter 0      # stays started, refuses calls as unavailable")]
    Actor(ScaleArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ScaleArgs {
    /// The id it runs under
    id: EntityId,
    /// Calls at once; 0 refuses them
    instances: u16,
}

pub(crate) async fn run(context: &Context, command: ScaleCommand) -> anyhow::Result<Exit> {
    let ScaleCommand::Actor(ScaleArgs { id, instances }) = command;
    let session = context.session().await?;
    let host = session.host().await?;
    let command = Command::ScaleActor { id: id.clone(), scale: scale(instances) };
    let done = session.make_so(&host, command).await?;
    context.output.answer(&done, || {
        let already = if done.unchanged { " already" } else { "" };
        match instances {
            0 => format!("{id} takes no calls{already}"),
            _ => format!("{id} takes up to {instances} calls at once{already}"),
        }
    });
    Ok(Exit::Ok)
}

/// On the command line 0 is what a person writes; from here on it has a name.
pub(crate) fn scale(instances: u16) -> Scale {
    NonZeroU16::new(instances).map_or(Scale::Stopped, Scale::UpTo)
}
