//! `wattle app schema`: what editors complete and check manifests by.

use clap::Args;
use wattle_wadm::manifest;

use crate::{commands::Context, exit::Exit};

/// Print the JSON Schema of manifests, by which editors complete and check one
///
/// With the YAML language server, which most editors use, a manifest names its schema in its first line:
/// # yaml-language-server: $schema=wattle.schema.json
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle app schema > wattle.schema.json")]
pub(crate) struct SchemaArgs {}

pub(super) fn run(context: &Context) -> anyhow::Result<Exit> {
    let schema = manifest::schema();
    let text = serde_json::to_string_pretty(&schema)?;
    context.output.answer(&schema, || format!("{text}\n"));
    Ok(Exit::Ok)
}
