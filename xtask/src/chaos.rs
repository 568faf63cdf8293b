//! `cargo xtask chaos`: the test of the same name, for as long as it is told.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::{build, numbers, repository::Repository, tools};

/// Runs it; its arguments become the variables that the test reads (`testing/tests/e2e/chaos.rs`).
pub(crate) fn run(repository: &mut Repository, arguments: &[String]) -> Result<ExitCode> {
    tools::nats_server(repository)?;
    let mut cargo = repository.cargo();
    let options = [("--minutes", "WATTLE_CHAOS_MINUTES"), ("--seed", "WATTLE_CHAOS_SEED")];
    numbers::pass(&mut cargo, arguments, &options)?;
    build::workspace(repository)?;
    build::examples(repository)?;
    cargo.args(["test", "--workspace", "--test", "e2e", "--", "--nocapture", "chaos::"]);
    let passed = cargo.status().context("starting cargo test")?.success();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
