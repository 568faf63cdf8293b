//! `cargo xtask chaos`: the test of the same name, for as long as it is told.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::{build, repository::Repository, tools};

/// Runs it; its arguments become the variables that the test reads (`testing/tests/e2e/chaos.rs`).
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let mut cargo = repository.cargo();
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        let number: u64 = value.parse().with_context(|| format!("{name} {value}"))?;
        match name.as_str() {
            "--minutes" => cargo.env("WATTLE_CHAOS_MINUTES", number.to_string()),
            "--seed" => cargo.env("WATTLE_CHAOS_SEED", number.to_string()),
            _ => bail!("there is no option {name}; --minutes and --seed are"),
        };
    }
    tools::nats_server(repository)?;
    build::workspace(repository)?;
    build::examples(repository)?;
    cargo.args(["test", "--workspace", "--test", "e2e", "--", "--nocapture", "chaos::"]);
    let passed = cargo.status().context("starting cargo test")?.success();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
