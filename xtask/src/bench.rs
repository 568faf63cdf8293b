//! `cargo xtask bench`.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::repository::Repository;

pub(crate) fn run(_: &Repository, _: &[String]) -> Result<ExitCode> {
    bail!("not yet")
}
