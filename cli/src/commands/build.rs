//! `wattle build`: compile a guest, show what it imports and exports, and sign it for exactly that; or compile and sign a provider.

pub(super) mod provider;

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use wattle_claims::Timestamp;

use super::Context;
use crate::{
    exit::Exit,
    guest::{
        cargo::{self, Built},
        toolchain::Toolchain,
    },
    problem::Problem,
    project::{Project, file},
    signing::{
        component::{self, SignedComponent},
        name_like,
        provider::read,
    },
};

/// Compile an actor, or a provider of your own, and sign it
///
/// An actor is signed for exactly the interfaces it imports and exports, into build/NAME.signed.wasm beside its Cargo.toml. A
/// provider, a crate whose Cargo.toml lists exports under [package.metadata.wattle], is compiled for this machine, signed for
/// these, and packed into build/NAME.tar. The key is made on first use and kept in .wattle/keys, so that what is built again is
/// the same actor or provider; building the same code again changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle build
  wattle build examples/keyvalue-counter
  wattle build label-printer")]
pub(crate) struct BuildArgs {
    /// The crate's folder, or a workspace's
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(crate) fn run(context: &Context, args: &BuildArgs) -> anyhow::Result<Exit> {
    if args.folder.is_file() {
        let what = format!("{} is a file, not a crate's folder", args.folder.display());
        let next = format!("wattle claims sign actor {}", args.folder.display());
        return Err(Problem::new(Exit::Usage, what).next(next).into());
    }
    let output = context.output;
    let project = Project::find_or_create(&context.global, output)?;
    if project.keys().ensure_chain(Timestamp::now())? {
        output.note("made development keys: operator, account and user");
    }
    if let Some(found) = provider::at(&args.folder)? {
        return found.build(context, &project, &args.folder);
    }
    let toolchain = Toolchain::find_or_make(&args.folder, output)?;
    let mut signed = Vec::new();
    for built in cargo::build(&args.folder, &toolchain, context.global.quiet)? {
        signed.push(sign(&project, &built)?);
    }
    let json: Vec<_> =
        signed.iter().map(|(path, actor)| json!({"file": path, "actor": actor})).collect();
    output.answer(&json, || {
        let all: Vec<String> = signed.iter().map(|(path, actor)| as_text(path, actor)).collect();
        all.join("\n")
    });
    Ok(Exit::Ok)
}

fn sign(project: &Project, built: &Built) -> anyhow::Result<(PathBuf, SignedComponent)> {
    let name = name_like(&built.package)?;
    let path = built.folder.join("build").join(format!("{name}.signed.wasm"));
    let draft = component::Draft { name, version: built.version.clone(), lasts: None };
    let earlier = std::fs::read(&path).ok();
    let signed = component::sign(project, &read(&built.component)?, draft, earlier)?;
    file::write_public(&path, &signed.wasm)?;
    Ok((path, signed))
}

/// What was signed, and the command that comes next.
pub(crate) fn as_text(path: &Path, actor: &SignedComponent) -> String {
    let needed: Vec<&str> = actor
        .imports
        .iter()
        .filter(|interface| interface.needs_link())
        .map(wattle_core::Interface::as_str)
        .collect();
    let needs = match needed.as_slice() {
        [] => "no links".to_owned(),
        interfaces => format!("links for {}", interfaces.join(",\n            ")),
    };
    let lines = |interfaces: &[wattle_core::Interface]| -> String {
        let names: Vec<&str> = interfaces.iter().map(wattle_core::Interface::as_str).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join("\n            ") }
    };
    format!(
        "{} {} is signed as {}\n  imports   {}\n  exports   {}\n  needs     {needs}\n  hash      {}\n  file      {}\nnext: wattle start actor {}\n",
        actor.name,
        actor.version,
        actor.key,
        lines(&actor.imports),
        lines(&actor.exports),
        actor.hash,
        from_here(path).display(),
        from_here(path).display(),
    )
}

/// A path as a person in this folder would write it.
pub(super) fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path).to_owned()
}
