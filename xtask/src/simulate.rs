//! `cargo xtask simulate`: the planner and the reconcile loop in as many worlds as it is told.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::{numbers, repository::Repository};

/// Runs them; its arguments become the variables that the test reads (`wadm/tests/simulate/main.rs`).
pub(crate) fn run(repository: &Repository, arguments: &[String]) -> Result<ExitCode> {
    let mut cargo = repository.cargo();
    let options = [("--seeds", "WATTLE_SIMULATE_SEEDS"), ("--seed", "WATTLE_SIMULATE_SEED")];
    numbers::pass(&mut cargo, arguments, &options)?;
    cargo.args(["test", "-p", "wattle-wadm", "--test", "simulate", "--", "--nocapture"]);
    let passed = cargo.status().context("starting cargo test")?.success();
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
