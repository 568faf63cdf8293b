//! `wattle get`: what is there, and in which state.

mod claims;
mod hosts;
mod inventory;
mod links;

use clap::Subcommand;

use super::Context;
use crate::exit::Exit;

/// Show hosts, what runs, links, or claims
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle get inventory")]
pub(crate) enum GetCommand {
    /// Show the hosts that are alive (listens for one beat, a second)
    #[command(after_help = "Example:\n  wattle get hosts")]
    Hosts,
    /// Show what runs: actors, providers, their states, restarts and failures
    #[command(after_help = "Example:\n  wattle get inventory -o json")]
    Inventory,
    /// Show links, whether each holds, what it serves, and whether calls stay on the host
    #[command(after_help = "Example:\n  wattle get links")]
    Links,
    /// Show who signed what runs, and for which interfaces
    #[command(after_help = "Example:\n  wattle get claims")]
    Claims,
}

pub(crate) async fn run(context: &Context, command: GetCommand) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    match command {
        GetCommand::Hosts => hosts::show(&session).await,
        GetCommand::Inventory => inventory::show(&session).await,
        GetCommand::Links => links::show(&session).await,
        GetCommand::Claims => claims::show(&session).await,
    }
}

/// Seconds as a person says them: the two largest units.
fn ago(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_two_units() {
        assert_eq!(ago(59), "59 s");
        assert_eq!(ago(61), "1 min 1 s");
        assert_eq!(ago(3_600 * 5 + 60), "5 h 1 min");
        assert_eq!(ago(86_400 * 400), "400 d 0 h");
    }
}
