//! `wattle new actor`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::crates::{self, Crate};
use crate::{commands::Context, contract, exit::Exit};

const MANIFEST: &str = include_str!("actor/Cargo.toml.txt");
const README: &str = include_str!("actor/README.md");
const LIB: &str = include_str!("actor/lib.rs.txt");
const IMPORTS: &str = include_str!("actor/imports.rs.txt");
const WIT_BINDGEN: &str = "wit-bindgen = { version = \"0.61\", default-features = false, features = [\"macros\", \"realloc\", \"std\"] }\n";
const IGNORED: &str = "/build\n/target\n";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle new actor hello
  wattle new actor parcels --wit ../label-printer/wit")]
pub(crate) struct ActorArgs {
    /// The crate's folder, which is made; its last part is the actor's name
    folder: PathBuf,
    /// A WIT file or folder of interfaces that it calls, of a provider or another actor; it is copied into the crate
    #[arg(long, value_name = "PATH")]
    wit: Option<PathBuf>,
    /// Which of them; repeatable [default: all of the package that have functions]
    #[arg(long, value_name = "INTERFACE", requires = "wit")]
    interface: Vec<String>,
    /// A checkout of Wattle, for actors' crate [default: the one that this command, or the folder, is in]
    #[arg(long, value_name = "PATH")]
    wattle: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: &ActorArgs) -> anyhow::Result<Exit> {
    let mut made = Crate::new(&args.folder)?;
    let wattle = crates::checkout(args.wattle.as_deref(), &args.folder)?;
    let mut imports = Vec::new();
    if let Some(wit) = &args.wit {
        imports = contract::interfaces(wit, &args.interface)?;
        made.add_wit(wit)?;
    }
    let name = made.name.to_string();
    let fill = |template: &str| {
        template
            .replace("@name@", &name)
            .replace("@wattle@", &made.path_to(&wattle, "interfaces/rust"))
            .replace("@wit-bindgen@", if imports.is_empty() { "" } else { WIT_BINDGEN })
            .replace("@imports@", &bindings(&imports))
    };
    let (manifest, readme, lib) = (fill(MANIFEST), fill(README), fill(LIB));
    made.add("Cargo.toml", manifest);
    made.add("README.md", readme);
    made.add(".gitignore", IGNORED);
    made.add("src/lib.rs", lib);
    made.write()?;
    let folder = args.folder.display();
    let next = [
        format!("wattle build {folder}"),
        format!("wattle start actor {folder}/build/{name}.signed.wasm"),
        format!("wattle call {name} /"),
    ];
    let files: Vec<_> = made.files.keys().collect();
    let json = json!({"name": name, "folder": args.folder, "files": files, "interfaces": imports, "next": next});
    context.output.answer(&json, || {
        format!(
            "actor {name} is made in {folder}\n  src/lib.rs  what it does: fill this in\nnext: {}",
            next.join("\n      "),
        )
    });
    Ok(Exit::Ok)
}

/// The module through which it reaches what it imports.
fn bindings(imports: &[String]) -> String {
    if imports.is_empty() {
        return String::new();
    }
    let lines: Vec<String> =
        imports.iter().map(|id| format!("                import {id};\n")).collect();
    IMPORTS.replace("@lines@", &lines.concat())
}
