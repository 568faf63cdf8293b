//! `wattle claims`: sign who may do what, check it, take it back.

mod revoke;
mod sign;
mod verify;

use clap::Subcommand;

use super::Context;
use crate::exit::Exit;

/// Sign, verify and revoke claims
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle claims sign actor counter.wasm")]
pub(crate) enum ClaimsCommand {
    /// Sign an actor, a provider, a host, a user or an account
    #[command(subcommand)]
    Sign(sign::SignCommand),
    /// Check a signed file or token against whom the project trusts
    Verify(verify::VerifyArgs),
    /// Take back what was signed, on the whole lattice
    Revoke(revoke::RevokeArgs),
}

pub(crate) async fn run(context: &Context, command: ClaimsCommand) -> anyhow::Result<Exit> {
    match command {
        ClaimsCommand::Sign(command) => sign::run(context, command),
        ClaimsCommand::Verify(args) => verify::run(context, &args),
        ClaimsCommand::Revoke(args) => Box::pin(revoke::run(context, args)).await,
    }
}
