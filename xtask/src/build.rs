//! Builds everything once, with the one profile that tests, demo and benchmark share.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::{
    repository::{Repository, run, step},
    scratch::Scratch,
};

/// Packages of guests: the examples that answer alone, and what the tests run.
pub(crate) const EXAMPLES: [&str; 2] = ["examples/http-hello", "examples/keyvalue-counter"];
/// Those that demo and benchmark have no use for: they need each other, or something outside.
const FURTHER: [&str; 9] = [
    "examples/file-store",
    "examples/link-checker",
    "examples/orders",
    "examples/parcels",
    "examples/price-list",
    "examples/scheduled-report",
    "examples/shop",
    "examples/tax",
    "examples/todo",
];
const TEST_GUESTS: [&str; 8] = [
    "testing/guests/kit",
    "testing/guests/front",
    "testing/guests/back",
    "testing/guests/holder",
    "testing/guests/ledger",
    "testing/guests/steward",
    "testing/guests/stranger",
    "testing/guests/watcher",
];

/// The whole workspace. Always all of it: with part of it, cargo would choose other features and build the heavy crates twice.
pub(crate) fn workspace(repository: &Repository) -> Result<()> {
    step("building the workspace (the first time takes some minutes)");
    run(repository.cargo().args(["build", "--workspace"]))
}

/// The same with all tests, which have dependencies of their own: built without them first, the heavy crates would be built twice.
pub(crate) fn workspace_and_tests(repository: &Repository) -> Result<()> {
    step("building the workspace and its tests (the first time takes some minutes)");
    run(repository.cargo().args(["build", "--workspace", "--all-targets"]))
}

/// The examples as components, and signed by a throw-away account, which shows that `wattle build` works.
pub(crate) fn examples(repository: &Repository) -> Result<()> {
    guests(repository, &EXAMPLES)
}

/// Everything that the tests run as components.
pub(crate) fn all_guests(repository: &Repository) -> Result<()> {
    guests(repository, &EXAMPLES)?;
    guests(repository, &FURTHER)?;
    guests(repository, &TEST_GUESTS)
}

fn guests(repository: &Repository, packages: &[&str]) -> Result<()> {
    let scratch = Scratch::wait(repository, "guests")?;
    for package in packages {
        step(format_args!("building the component {package}"));
        run(repository
            .command(repository.binary("wattle")?)
            .arg("--dir")
            .arg(scratch.folder())
            .arg("build")
            .arg(package))
        .with_context(|| format!("building {package}"))?;
    }
    Ok(())
}

/// The component of a guest package. Its claims are one more section, which wasmtime skips.
pub(crate) fn component(repository: &Repository, package: &str) -> Result<PathBuf> {
    let name = package.rsplit('/').next().unwrap_or(package);
    let file = format!("{package}/build/{name}.signed.wasm");
    repository.file(&file).canonicalize().with_context(|| format!("finding {file}"))
}
