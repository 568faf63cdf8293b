//! `cargo xtask simulate`: the planner and the reconcile loop in as many worlds as it is told.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::repository::Repository;

/// Runs them; its arguments become the variables that the test reads (`wadm/tests/simulate/main.rs`).
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let mut cargo = repository.cargo();
    let mut arguments = arguments.iter();
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        let number: u64 = value.parse().with_context(|| format!("{name} {value}"))?;
        match name.as_str() {
            "--seeds" => cargo.env("WATTLE_SIMULATE_SEEDS", number.to_string()),
            "--seed" => cargo.env("WATTLE_SIMULATE_SEED", number.to_string()),
            _ => bail!("there is no option {name}; --seeds and --seed are"),
        };
    }
    cargo.args(["test", "-p", "wattle-wadm", "--test", "simulate", "--", "--nocapture"]);
    let passed = cargo.status().context("starting cargo test")?.success();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
