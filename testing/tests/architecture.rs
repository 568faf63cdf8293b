//! The crate graph, read from cargo itself: who may import whom, and which external crates live in one place only.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
};

use serde_json::Value;

/// Each of our crates, and those of ours that it may import. `testing` may import anything, `twin` and `xtask` nothing.
const MAY_IMPORT: [(&str, &[&str]); 29] = [
    ("core", &[]),
    ("claims", &["core"]),
    ("wire", &["core"]),
    ("lattice", &["core", "claims", "wire"]),
    ("blobstore", &["core", "wire"]),
    ("control", &["core"]),
    ("http", &["core"]),
    ("keyvalue", &["core"]),
    ("messaging", &["core"]),
    ("postgres", &["core"]),
    ("schedule", &["core"]),
    ("sql", &["core"]),
    (
        "host",
        &[
            "core",
            "claims",
            "wire",
            "lattice",
            "blobstore",
            "control",
            "http",
            "keyvalue",
            "messaging",
            "postgres",
            "sql",
        ],
    ),
    ("sdk", &["core", "wire"]),
    ("blobstore-fs", &["core", "sdk", "blobstore"]),
    ("blobstore-s3", &["core", "sdk", "blobstore"]),
    ("http-client", &["core", "sdk", "http"]),
    ("http-server", &["core", "sdk", "http"]),
    ("keyvalue-embedded", &["core", "sdk", "keyvalue"]),
    ("keyvalue-redis", &["core", "sdk", "keyvalue"]),
    ("messaging-mqtt", &["core", "sdk", "messaging"]),
    ("messaging-nats", &["core", "sdk", "messaging"]),
    ("messaging-redis", &["core", "sdk", "messaging"]),
    ("sql-postgres", &["core", "sdk", "postgres", "sql"]),
    ("sql-sqlite", &["core", "sdk", "sql"]),
    ("timer", &["core", "sdk", "schedule"]),
    // An example, of somebody's own: the SDK has to be all that it takes.
    ("label-printer", &["sdk"]),
    ("wadm", &["core", "claims", "lattice"]),
    (
        "cli",
        &[
            "core",
            "claims",
            "lattice",
            "host",
            "blobstore",
            "control",
            "http",
            "keyvalue",
            "messaging",
            "postgres",
            "schedule",
            "sql",
            "wadm",
        ],
    ),
];

/// External crates, and the only crates of ours that may import them (`testing` and `twin` check and measure, so they may, too).
const LIVES_IN: [(&str, &[&str]); 23] = [
    ("async-nats", &["lattice", "messaging-nats"]),
    ("jsonwebtoken", &["claims"]),
    ("nkeys", &["claims"]),
    ("wasmtime", &["host"]),
    ("wasmtime-wasi", &["host"]),
    ("wasmtime-wasi-http", &["host"]),
    ("clap", &["cli"]),
    ("croner", &["timer"]),
    ("hyper", &["blobstore-s3", "http-client", "http-server"]),
    ("hyper-rustls", &["blobstore-s3", "http-client"]),
    ("jiff", &["timer"]),
    ("object_store", &["blobstore-s3"]),
    ("quick-xml", &["blobstore-s3"]),
    ("redb", &["keyvalue-embedded"]),
    ("redis", &["keyvalue-redis", "messaging-redis"]),
    ("rumqttc", &["messaging-mqtt"]),
    ("rusqlite", &["sql-sqlite"]),
    ("tar", &["claims"]),
    ("tokio-postgres", &["sql-postgres"]),
    ("tokio-postgres-rustls", &["sql-postgres"]),
    ("granit-parser", &["wadm"]),
    ("ureq", &["cli"]),
    ("wit-parser", &["cli"]),
];

/// Crates whose default features are known to be more than we need.
const WITHOUT_DEFAULT_FEATURES: [&str; 4] =
    ["async-nats", "wasmtime", "wasmtime-wasi", "wasmtime-wasi-http"];

/// Who may import any external crate.
const ANYTHING: [&str; 2] = ["testing", "twin"];

/// The packages of the workspace. cargo's own words are read here and not through a crate, whose needs would change the features
/// that wasmtime is built with.
fn packages() -> Vec<Value> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path", manifest])
        .output()
        .expect("cargo is there");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    metadata["packages"].as_array().expect("a workspace has packages").clone()
}

fn name(package: &Value) -> &str {
    let name = package["name"].as_str().and_then(|name| name.strip_prefix("wattle-"));
    name.expect("packages are called wattle-<folder>")
}

fn dependencies(package: &Value) -> &[Value] {
    package["dependencies"].as_array().expect("a package has dependencies")
}

/// What a crate's users get: neither its tests' nor its build script's dependencies.
fn imports(package: &Value) -> BTreeSet<&str> {
    let normal = dependencies(package).iter().filter(|found| found["kind"].is_null());
    normal.filter_map(|found| found["name"].as_str()).collect()
}

#[test]
fn every_crate_imports_only_what_lies_below_it() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_IMPORT.into_iter().collect();
    for package in &packages() {
        let name = name(package);
        if name == "testing" {
            continue;
        }
        let may: &[&str] = match name {
            "twin" | "xtask" => &[],
            _ => allowed.get(name).unwrap_or_else(|| {
                panic!("{name} is not in this table: decide what it may import, and say it here")
            }),
        };
        let ours = imports(package).into_iter().filter_map(|name| name.strip_prefix("wattle-"));
        for import in ours {
            assert!(may.contains(&import), "{name} imports {import}; it may import {may:?}");
        }
    }
}

#[test]
fn what_lives_in_one_crate_is_imported_nowhere_else() {
    for package in &packages() {
        let name = name(package);
        let imports = imports(package);
        for (external, homes) in LIVES_IN {
            let home = ANYTHING.contains(&name) || homes.contains(&name);
            let fine = home || !imports.contains(external);
            assert!(fine, "{name} imports {external}, which lives in {homes:?}");
        }
    }
}

#[test]
fn heavy_crates_come_without_their_default_features() {
    for package in &packages() {
        for dependency in dependencies(package) {
            let external = dependency["name"].as_str().unwrap_or_default();
            let all = dependency["uses_default_features"] != false;
            let fine = !(all && WITHOUT_DEFAULT_FEATURES.contains(&external));
            assert!(fine, "{} takes all of {external}", name(package));
        }
    }
}

#[test]
fn every_package_lies_in_the_folder_of_its_name() {
    for package in &packages() {
        let manifest = Path::new(package["manifest_path"].as_str().expect("a package has a file"));
        let folder = manifest.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        assert_eq!(Some(name(package)), folder, "{}", manifest.display());
    }
}
