//! `wattle app validate`: what is wrong with a manifest, and what of it is not honoured.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use wattle_wadm::manifest::Reading;

use super::manifest::Text;
use crate::{commands::Context, exit::Exit};

/// Check a manifest, without a lattice
///
/// Says everything that is wrong and everything that is not honoured, with its place. Exits with 0 if the application could be
/// deployed, with or without warnings, and with 1 if not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle app validate wadm.yaml
  wattle app validate - < wadm.yaml
  wattle app validate wadm.yaml -o json")]
pub(crate) struct ValidateArgs {
    /// The manifest: a file, an https:// URL, or - for stdin
    file: PathBuf,
}

pub(super) async fn run(context: &Context, args: &ValidateArgs) -> anyhow::Result<Exit> {
    let text = Text::read(&args.file).await?;
    let Reading { manifest, findings, unsaid } = &text.reading;
    let valid = manifest.is_some();
    let answer = json!({"file": text.name, "valid": valid, "findings": findings, "unsaid": unsaid});
    context.output.answer(&answer, || text.shown());
    Ok(if valid { Exit::Ok } else { Exit::Failed })
}
