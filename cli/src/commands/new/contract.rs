//! `wattle new contract`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::{
    commands::{Context, build::provider},
    contract::Contract,
    exit::Exit,
    problem::Problem,
    project::file,
};

#[derive(Debug, Args)]
#[command(after_help = "Example:
  wattle new contract label-printer

The interfaces are those that the crate's Cargo.toml lists: [package.metadata.wattle] exports = [\"…\"]. The WIT is in wit/.")]
pub(crate) struct ContractArgs {
    /// The provider's crate
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(super) fn run(context: &Context, args: &ContractArgs) -> anyhow::Result<Exit> {
    let Some(found) = provider::at(&args.folder)? else {
        return Err(no_provider(&args.folder).into());
    };
    let exports: Vec<String> = found.exports.iter().map(ToString::to_string).collect();
    let contract = Contract::read(&args.folder.join("wit"), &exports)?;
    let (path, text) = (args.folder.join("src/contract.rs"), contract.to_rust());
    let changed = std::fs::read(&path).ok().as_deref() != Some(text.as_bytes());
    if changed {
        file::write_public(&path, text.as_bytes())?;
    }
    context.output.answer(&json!({"file": path, "changed": changed}), || {
        let shown = path.display();
        match changed {
            true => format!("{shown} is written; the compiler says what {} lacks", found.name),
            false => format!("{shown} is what the WIT says already"),
        }
    });
    Ok(Exit::Ok)
}

fn no_provider(folder: &Path) -> Problem {
    let what =
        format!("{} is no provider's crate: its Cargo.toml lists no exports", folder.display());
    Problem::new(Exit::NotFound, what)
        .next("[package.metadata.wattle] exports = [\"namespace:package/interface\"]")
}
