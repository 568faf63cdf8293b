//! `wattle drain`: a host has its calls answered elsewhere.

use clap::Args;
use wattle_core::control::Command;

use super::Context;
use crate::exit::Exit;

/// Have a host's calls answered by others that run the same
///
/// Other hosts call it no more, and its own calls go to them; what is under way finishes. It goes on running, so that it can be
/// stopped or worked on without a failed call. A restart of the host ends it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle drain pi-3
  wattle drain pi-3 --force   # also what only pi-3 runs, which other hosts then cannot call
  wattle drain pi-3 --undo    # it takes calls again")]
pub(crate) struct DrainArgs {
    /// The host, by key or friendly name
    #[arg(value_name = "HOST")]
    name: String,
    /// Also where only this host runs something
    #[arg(long)]
    force: bool,
    /// Take calls again
    #[arg(long, conflicts_with = "force")]
    undo: bool,
}

pub(crate) async fn run(context: &Context, args: DrainArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let host = session.named(&args.name).await?;
    let step = context.output.step(&format!("draining {}", args.name));
    let command = Command::DrainHost { force: args.force, undo: args.undo };
    let done = session.make_so(&host, command).await?;
    step.done(if args.undo { "it takes calls" } else { "it is called no more" });
    context.output.answer(&done, || done.or(format!("{} is drained", args.name)));
    Ok(Exit::Ok)
}
