//! `wattle new provider`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::crates::{self, Crate};
use crate::{
    commands::Context,
    contract::{Contract, provider_type},
    exit::Exit,
};

/// The files that are the same for all, but for names.
const MANIFEST: &str = include_str!("provider/Cargo.toml.txt");
const README: &str = include_str!("provider/README.md");
const LIB: &str = include_str!("provider/lib.rs.txt");
const MAIN: &str = include_str!("provider/main.rs.txt");
const IGNORED: &str = "/build\n/target\n";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle new provider label-printer --wit labels.wit
  wattle new provider crates/search --wit wit --interface acme:search/index

The crate builds and runs as it is; its functions say that they are not written yet. `wattle build` compiles and signs it.")]
pub(crate) struct ProviderArgs {
    /// The crate's folder, which is made; its last part is the provider's name
    folder: PathBuf,
    /// A WIT file, or a package's folder; it is copied into the crate
    #[arg(long, value_name = "PATH")]
    wit: PathBuf,
    /// An interface that it answers; repeatable [default: all of the package that have functions]
    #[arg(long, value_name = "INTERFACE")]
    interface: Vec<String>,
    /// A checkout of Wattle, for the SDK [default: the one that this command, or the folder, is in]
    #[arg(long, value_name = "PATH")]
    wattle: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &ProviderArgs) -> anyhow::Result<Exit> {
    let mut made = Crate::new(&args.folder)?;
    let contract = Contract::read(&args.wit, &args.interface)?;
    let wattle = crates::checkout(args.wattle.as_deref(), &args.folder)?;
    let interfaces: Vec<&str> = contract.interfaces().collect();
    made.add_wit(&args.wit)?;
    let quoted: Vec<String> = interfaces.iter().map(|id| format!("\"{id}\"")).collect();
    let listed: Vec<String> = interfaces.iter().map(|id| format!("`{id}`")).collect();
    let name = made.name.to_string();
    let fill = |template: &str| {
        template
            .replace("@name@", &name)
            .replace("@crate@", &name.replace('-', "_"))
            .replace("@type@", &provider_type(&name))
            .replace("@exports@", &quoted.join(", "))
            .replace("@interfaces@", &listed.join(", "))
            .replace("@interface@", &interfaces.join(","))
            .replace("@sdk@", &made.path_to(&wattle, "providers/sdk"))
    };
    let (manifest, readme, lib, main) = (fill(MANIFEST), fill(README), fill(LIB), fill(MAIN));
    made.add("Cargo.toml", manifest);
    made.add("README.md", readme);
    made.add(".gitignore", IGNORED);
    made.add("src/lib.rs", lib);
    made.add("src/main.rs", main);
    made.add("src/contract.rs", contract.to_rust());
    made.add("src/provider.rs", contract.implementation(&name));
    made.write()?;
    let folder = args.folder.display();
    let next = [
        format!("wattle build {folder}"),
        format!("wattle start provider {folder}/build/{name}.tar"),
        format!("wattle link put ACTOR {name} {}", interfaces.join(",")),
    ];
    let files: Vec<_> = made.files.keys().collect();
    let json = json!({"name": name, "folder": args.folder, "files": files, "interfaces": interfaces, "next": next});
    context.output.answer(&json, || {
        format!(
            "provider {name} is made in {folder}, for {}\n  \
             src/provider.rs  what it does: fill this in\n  \
             src/contract.rs  the WIT in Rust; `wattle new contract {folder}` writes it again\n\
             next: {}",
            interfaces.join(", "),
            next.join("\n      "),
        )
    });
    Ok(Exit::Ok)
}
