//! `cargo xtask lint`: how the code has to look.

use std::process::ExitCode;

use anyhow::Result;

use crate::repository::{self, Repository, step};

/// Checks the formatting and runs clippy, both strictly.
pub(crate) fn run(repository: &Repository) -> Result<ExitCode> {
    const CLIPPY: [&str; 6] =
        ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    step("cargo fmt --check");
    repository::run(repository.cargo().args(["fmt", "--all", "--check"]))?;
    step("cargo clippy");
    repository::run(repository.cargo().args(CLIPPY))?;
    Ok(ExitCode::SUCCESS)
}
