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

/// A package as its manifest describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest_path: PathBuf,
    /// `[package.metadata]`
    #[serde(default)]
    pub(crate) metadata: serde_json::Value,
}

/// One line of cargo's messages; other kinds lack these fields.
#[derive(Debug, Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    #[serde(default)]
    executable: Option<PathBuf>,
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

/// The package whose manifest lies in `folder`, if there is one and not just a workspace's.
pub(crate) fn package(folder: &Path) -> anyhow::Result<Option<Package>> {
    let packages = packages(folder)?;
    let folder = folder.canonicalize().with_context(|| folder.display().to_string())?;
    let lies_here = |package: &Package| package.manifest_path.parent() == Some(&folder);
    Ok(packages.into_values().find(lies_here))
}

/// Compiles a package for this machine, and gives the program that it is.
pub(crate) fn program(folder: &Path, package: &Package, quiet: bool) -> anyhow::Result<PathBuf> {
    let mut cargo = cargo(folder);
    cargo.args(["build", "--release", "--message-format=json-render-diagnostics"]);
    if quiet {
        cargo.arg("--quiet");
    }
    let ran = cargo.stderr(Stdio::inherit()).output().map_err(no_cargo)?;
    if !ran.status.success() {
        let what = format!("{} does not compile", folder.display());
        return Err(Problem::new(Exit::Failed, what).into());
    }
    let mut programs = executables(&String::from_utf8_lossy(&ran.stdout), package);
    match (programs.pop(), programs.len()) {
        (Some(program), 0) => Ok(program),
        (None, _) => {
            let what = format!("{} compiles to no program", folder.display());
            Err(Problem::new(Exit::Failed, what).next("a provider has a src/main.rs").into())
        }
        (Some(_), more) => {
            let what = format!("{} compiles to {} programs", folder.display(), more + 1);
            let next = "a provider is one program: wattle claims sign provider --help";
            Err(Problem::new(Exit::Failed, what).next(next).into())
        }
    }
}

fn executables(messages: &str, package: &Package) -> Vec<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let own = messages.filter(|message| message.package_id == package.id);
    own.filter_map(|message| message.executable).collect()
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
            metadata: serde_json::Value::Null,
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
