//! A provider's crate: what its `Cargo.toml` says that it answers, and its artifact.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::json;
use wattle_claims::provider::platform;
use wattle_core::{Interface, Name};

use super::from_here;
use crate::{
    commands::Context,
    exit::Exit,
    guest::cargo::{self, Package},
    problem::Problem,
    project::{Project, file, keys::Role},
    signing::{
        name_like,
        provider::{Draft, read},
    },
};

/// `[package.metadata.wattle]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    /// What it is called, if not like its package.
    name: Option<Name>,
    /// What it answers.
    exports: Vec<Interface>,
    /// What it calls actors on.
    #[serde(default)]
    imports: Vec<Interface>,
}

/// A crate that says that it is a provider.
#[derive(Debug)]
pub(in crate::commands) struct ProviderCrate {
    pub(in crate::commands) name: Name,
    pub(in crate::commands) exports: Vec<Interface>,
    imports: Vec<Interface>,
    package: Package,
}

/// The provider's crate in this folder; `None` if it does not say that it is one.
pub(in crate::commands) fn at(folder: &Path) -> anyhow::Result<Option<ProviderCrate>> {
    let Some(package) = cargo::package(folder)? else { return Ok(None) };
    let Some(metadata) = package.metadata.get("wattle") else { return Ok(None) };
    let Metadata { name, exports, imports } = Metadata::deserialize(metadata).map_err(|error| {
        let shown = package.manifest_path.display();
        Problem::new(Exit::Usage, format!("{shown}: [package.metadata.wattle]: {error}"))
    })?;
    let name = name.map_or_else(|| name_like(&package.name), Ok)?;
    Ok(Some(ProviderCrate { name, exports, imports, package }))
}

impl ProviderCrate {
    /// Compiles, signs and packs it.
    pub(super) fn build(
        self,
        context: &Context,
        project: &Project,
        folder: &Path,
    ) -> anyhow::Result<Exit> {
        let program = cargo::program(folder, &self.package, context.global.quiet)?;
        let Self { name, exports, imports, package } = self;
        let draft = Draft {
            name,
            version: package.version,
            imports,
            exports,
            binaries: BTreeMap::from([(platform(), read(&program)?)]),
            lasts: None,
        };
        let beside = package.manifest_path.parent().unwrap_or(Path::new("."));
        let path = beside.join("build").join(format!("{}.tar", draft.name));
        let account = project.keys().signer(Role::Account)?;
        let kept = std::fs::read(&path).is_ok_and(|tar| draft.is_in(&tar, &account));
        if !kept {
            let tar = draft.sign(project).context("sign the provider")?;
            file::write_public(&path, &tar)?;
        }
        let json = json!([{"file": path, "provider": {
            "name": draft.name,
            "version": draft.version,
            "imports": draft.imports,
            "exports": draft.exports,
        }}]);
        context.output.answer(&json, || as_text(&path, &draft));
        Ok(Exit::Ok)
    }
}

/// What was signed, and the commands that come next.
fn as_text(path: &Path, draft: &Draft) -> String {
    let lines = |interfaces: &[Interface]| -> String {
        let names: Vec<&str> = interfaces.iter().map(Interface::as_str).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join("\n            ") }
    };
    let shown = from_here(path).display().to_string();
    let interfaces: Vec<&str> = draft.exports.iter().map(Interface::as_str).collect();
    format!(
        "provider {} {} is signed, for {}\n  imports   {}\n  exports   {}\n  file      {shown}\n\
         next: wattle start provider {shown}\n      wattle link put ACTOR {} {}\n",
        draft.name,
        draft.version,
        platform(),
        lines(&draft.imports),
        lines(&draft.exports),
        draft.name,
        interfaces.join(","),
    )
}
