//! `wattle start`: the artifact is stored by its content, a host fetches, verifies and runs it, and we hear how that went.

mod actor;
mod provider;

use std::path::PathBuf;

use clap::Subcommand;
use wattle_core::Digest;

use super::Context;
use crate::{exit::Exit, session::Session};

/// Start an actor or a provider
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle start actor build/counter.signed.wasm")]
pub(crate) enum StartCommand {
    /// Start an actor: a signed component
    Actor(actor::ActorArgs),
    /// Start a provider: one that comes with Wattle, or a signed artifact
    Provider(provider::ProviderArgs),
}

pub(crate) async fn run(context: &Context, command: StartCommand) -> anyhow::Result<Exit> {
    match command {
        StartCommand::Actor(args) => Box::pin(actor::run(context, args)).await,
        StartCommand::Provider(args) => Box::pin(provider::run(context, args)).await,
    }
}

/// A file's path from a reference: `file:x.wasm` or `x.wasm`.
fn file_of(reference: &str) -> PathBuf {
    PathBuf::from(reference.strip_prefix("file:").unwrap_or(reference))
}

/// Stores an artifact in the lattice, where it has none of this content yet.
async fn upload(session: &Session, what: &str, bytes: &[u8]) -> anyhow::Result<Digest> {
    let step = session.output.step(&format!("storing {what} ({})", size(bytes.len())));
    let artifacts = session.lattice.artifacts().await?;
    let digest = artifacts.put(bytes).await?;
    step.done("stored");
    Ok(digest)
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(94_321), "94 kB");
        assert_eq!(size(18_450_000), "18.4 MB");
    }
}
