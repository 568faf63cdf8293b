//! Components made from nothing but WIT text: each imports every function of the interfaces it names, and does nothing.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

/// The crate that brings the WIT of `wasi:http` and of everything under it, all of one version.
const WASI_CRATE: &str = "wasmtime-wasi-http";
/// Its packages, each after those that it needs.
const WASI: [&str; 7] = ["io", "clocks", "random", "filesystem", "sockets", "cli", "http"];

/// A component of the world with these lines. The packages stand in the order of who needs whom.
pub(super) fn component(packages: &[String], world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    for package in packages {
        resolve.push_source("package.wit", package).unwrap_or_else(|e| panic!("{e:#}: {package}"));
    }
    let world = format!("package made:component;\nworld made {{ {world} }}");
    let package = resolve.push_source("made.wit", &world).expect("the world is well formed");
    let world = resolve.select_world(&[package], Some("made")).expect("it is in the package");
    let abi = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, abi);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("a module takes metadata");
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder.and_then(|mut encoder| encoder.encode()).expect("the module is of this world")
}

/// A package's text, as its users have it (`testing/guests/stranger`).
pub(super) fn published(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/stranger/wit/deps");
    read(&folder.join(format!("{name}.wit")))
}

/// The same package under another version; an empty one means none.
pub(super) fn published_as(name: &str, version: &str) -> String {
    let text = published(name);
    let (head, rest) = text.split_once(';').expect("it begins with the package's name");
    let (package, _) = head.split_once('@').expect("which has a version");
    let version = if version.is_empty() { String::new() } else { format!("@{version}") };
    format!("{package}{version};{rest}")
}

/// `wasi:io` to `wasi:http` under this version: every function that the newest of the crate has.
pub(super) fn wasi(version: &str) -> Vec<String> {
    let text = |package: &&str| {
        let text = read(&wasi_folder().join(format!("{package}.wit")));
        let newest = text.split_once('@').and_then(|(_, rest)| rest.split_once(';'));
        let (newest, _) = newest.expect("it begins with its name and version");
        // Since when something is there does not fit other versions.
        let lines = text.lines().filter(|line| !is_since(line)).collect::<Vec<_>>().join("\n");
        lines.replace(&format!("@{newest}"), &format!("@{version}"))
    };
    WASI.iter().map(text).collect()
}

fn is_since(line: &str) -> bool {
    ["@since(", "@deprecated("].iter().any(|gate| line.trim_start().starts_with(gate))
}

/// Where cargo keeps the crate's WIT.
fn wasi_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            // Of this machine's crates: others need not be in cargo's folder.
            .args(["metadata", "--offline", "--format-version", "1", "--manifest-path", manifest])
            .args(["--filter-platform", "host-tuple"])
            .output()
            .expect("cargo is there");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cargo metadata: {said}");
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("it answers in JSON");
        let packages = metadata["packages"].as_array().expect("the workspace has packages");
        let of_crate = packages.iter().find(|package| package["name"] == WASI_CRATE);
        let manifest = of_crate.and_then(|package| package["manifest_path"].as_str());
        let folder = manifest.map(Path::new).and_then(Path::parent).map(Path::to_owned);
        folder.expect("the workspace uses it").join("wit/deps")
    })
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
