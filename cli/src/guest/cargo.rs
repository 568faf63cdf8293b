//! Cargo, asked to compile guests and to say what it made.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;
use serde::Deserialize;

use super::{TARGET, toolchain::Toolchain};
use crate::{exit::Exit, problem::Problem};

/// A component that cargo made, and the package it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Built {
    pub(crate) package: String,
    pub(crate) version: String,
    /// The crate's folder.
    pub(crate) folder: PathBuf,
    pub(crate) component: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    manifest_path: PathBuf,
}

/// One line of cargo's messages; other kinds lack these fields.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Compiles the crate in `folder`, or every member if it is a workspace. What the compiler says goes to stderr.
pub(crate) fn build(
    folder: &Path,
    toolchain: &Toolchain,
    quiet: bool,
) -> anyhow::Result<Vec<Built>> {
    let packages = packages(folder)?;
    let mut cargo = cargo(folder);
    cargo.args(["build", "--release", "--target", TARGET]);
    cargo.arg("--message-format=json-render-diagnostics");
    if quiet {
        cargo.arg("--quiet");
    }
    toolchain.apply(&mut cargo);
    let ran = cargo.stderr(Stdio::inherit()).output().map_err(no_cargo)?;
    if !ran.status.success() {
        let what = format!("{} does not compile for {TARGET}", folder.display());
        return Err(Problem::new(Exit::Failed, what).into());
    }
    let built = components(&String::from_utf8_lossy(&ran.stdout), &packages);
    if built.is_empty() {
        let what = format!("{} compiles to no component", folder.display());
        let next = "an actor's Cargo.toml says crate-type = [\"cdylib\"] under [lib]";
        return Err(Problem::new(Exit::Failed, what).next(next).into());
    }
    Ok(built)
}

fn packages(folder: &Path) -> anyhow::Result<BTreeMap<String, Package>> {
    let ran = cargo(folder)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(no_cargo)?;
    if !ran.status.success() {
        let why = String::from_utf8_lossy(&ran.stderr);
        let what = format!("{} is no crate: {}", folder.display(), why.trim());
        return Err(Problem::new(Exit::NotFound, what).into());
    }
    let metadata: Metadata = serde_json::from_slice(&ran.stdout).context("cargo metadata")?;
    Ok(metadata.packages.into_iter().map(|package| (package.id.clone(), package)).collect())
}

fn components(messages: &str, packages: &BTreeMap<String, Package>) -> Vec<Built> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let mut built = Vec::new();
    for message in messages.filter(|message| message.reason == "compiler-artifact") {
        let Some(package) = packages.get(&message.package_id) else { continue }; // a dependency
        let wasm = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "wasm");
        for component in message.filenames.iter().filter(wasm) {
            built.push(Built {
                package: package.name.clone(),
                version: package.version.clone(),
                folder: package.manifest_path.parent().unwrap_or(Path::new(".")).to_owned(),
                component: component.clone(),
            });
        }
    }
    built
}

fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder).stdin(Stdio::null());
    // Run below cargo (a test, `cargo run`), these would make the guest's toolchain that of the caller.
    cargo.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO_MANIFEST_DIR");
    cargo
}

fn no_cargo(error: std::io::Error) -> Problem {
    Problem::new(
        Exit::NotFound,
        format!("guests are compiled with cargo, which does not run: {error}"),
    )
    .next("install Rust: https://rustup.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_of_dependencies_and_other_messages_are_left_out() {
        let package = Package {
            id: "own".to_owned(),
            name: "counter".to_owned(),
            version: "1.2.3".to_owned(),
            manifest_path: PathBuf::from("/shop/counter/Cargo.toml"),
        };
        let messages = r#"
{"reason":"compiler-artifact","package_id":"dependency","filenames":["/t/dep.wasm"]}
{"reason":"compiler-artifact","package_id":"own","filenames":["/t/counter.wasm","/t/counter.d"]}
{"reason":"build-finished","success":true}
not json"#;
        let packages = BTreeMap::from([("own".to_owned(), package)]);
        let expected = Built {
            package: "counter".to_owned(),
            version: "1.2.3".to_owned(),
            folder: PathBuf::from("/shop/counter"),
            component: PathBuf::from("/t/counter.wasm"),
        };
        assert_eq!(components(messages, &packages), [expected]);
    }
}
