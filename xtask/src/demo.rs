//! `cargo xtask demo`.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::repository::Repository;

pub(crate) fn run(_: &Repository) -> Result<ExitCode> {
    bail!("not yet")
}
