//! Why a component does not fit into what this host offers, in its author's words and not the engine's.

use wattle_core::Interface;

/// How the engine says that it cannot link a component, around the import's name.
const BEFORE: &str = "component imports ";
const AFTER: &str = "`, but a matching implementation was not found in the linker: ";
/// What it says further of an interface that is not there, or lacks the function.
const MISSING: &str = "` has the wrong type: function implementation is missing";

/// The versions in which `actors/imports` has packages; without a patch version: any. An empty one is none at all.
const VERSIONS: [(&str, &[&str]); 16] = [
    ("wasi:blobstore", &["0.2.0-draft"]),
    ("wasi:cli", &["0.2"]),
    ("wasi:clocks", &["0.2"]),
    ("wasi:config", &["0.2.0-draft", "0.2.0-rc.1"]),
    ("wasi:filesystem", &["0.2"]),
    ("wasi:http", &["0.2"]),
    ("wasi:io", &["0.2"]),
    ("wasi:keyvalue", &["0.2.0-draft"]),
    ("wasi:logging", &["0.1.0-draft", ""]),
    ("wasi:random", &["0.2"]),
    ("wasi:sockets", &["0.2"]),
    ("wasmcloud:bus", &["1", "2"]),
    ("wasmcloud:messaging", &["0.2"]),
    ("wasmcloud:secrets", &["0.1.0-draft"]),
    ("wattle:control", &["0.1"]),
    ("wattle:sql", &["0.1"]),
];

/// What keeps a component from being linked.
pub(super) fn why(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    said(&text).unwrap_or(text)
}

fn said(text: &str) -> Option<String> {
    let (import, reason) = text.strip_prefix(BEFORE)?.split_once(AFTER)?;
    let (kind, name) = import.split_once(" `")?;
    if kind != "instance" {
        return Some(format!(
            "it imports the {kind} {name} by itself: only interfaces are provided"
        ));
    }
    if let Some(versions) = other_versions(name) {
        return Some(format!("it imports {name}, which this host has in {versions} only"));
    }
    let missing = reason.strip_prefix("instance export `").and_then(|it| it.strip_suffix(MISSING));
    Some(match missing {
        Some(function) => format!("it imports {name}, of which this host has no {function}"),
        None => format!("it imports {name} in another shape than this host has: {reason}"),
    })
}

/// The versions of a package that this host has, where an import's own is none of them.
fn other_versions(import: &str) -> Option<String> {
    let interface: Interface = import.parse().ok()?;
    let (_, known) = VERSIONS.iter().find(|(package, _)| *package == interface.package())?;
    let version = import.split_once('@').map_or("", |(_, version)| version);
    let is_one = |known: &&str| match version.strip_prefix(*known) {
        Some("") => true,
        Some(patch) => !known.is_empty() && patch.starts_with('.') && !version.contains('-'),
        None => false,
    };
    if known.iter().any(is_one) {
        return None;
    }
    let named = known.iter().map(|known| if known.is_empty() { "no version" } else { known });
    Some(named.collect::<Vec<_>>().join(" and "))
}

#[cfg(test)]
mod tests {
    use wasmtime::component::{Component, Linker};

    use super::*;

    /// What is said of a component that imports this, where there is `log` of `wasi:logging/logging@0.1.0-draft`.
    fn refusal(import: &str) -> String {
        let engine = wasmtime::Engine::default();
        let component = Component::new(&engine, format!("(component (import {import}))"));
        let mut linker: Linker<()> = Linker::new(&engine);
        let mut instance = linker.instance("wasi:logging/logging@0.1.0-draft").expect("it is new");
        instance.func_wrap("log", |_, (): ()| Ok(())).expect("it is new");
        let linked = linker.instantiate_pre(&component.expect("a component"));
        why(&linked.map(drop).expect_err("it does not fit"))
    }

    #[test]
    fn another_version_another_function_and_another_shape_are_told_apart() {
        let draft = "wasi:logging/logging@0.1.0-draft";
        for (import, expected) in [
            (
                r#""wasi:logging/logging@0.3.0" (instance (export "log" (func)))"#,
                "it imports wasi:logging/logging@0.3.0, which this host has in 0.1.0-draft and no version only".to_owned(),
            ),
            (
                r#""wasi:logging/logging@0.1.0-draft" (instance (export "flush" (func)))"#,
                format!("it imports {draft}, of which this host has no flush"),
            ),
            (
                r#""log" (func)"#,
                "it imports the function log by itself: only interfaces are provided".to_owned(),
            ),
        ] {
            assert_eq!(refusal(import), expected);
        }
        let shape = refusal(
            r#""wasi:logging/logging@0.1.0-draft" (instance (export "log" (func (param "level" u8))))"#,
        );
        let expected = format!(
            "it imports {draft} in another shape than this host has: instance export `log`"
        );
        assert!(shape.starts_with(&expected), "{shape}");
    }

    #[test]
    fn patch_versions_are_the_same_and_drafts_are_not() {
        for same in
            ["wasi:http/types@0.2.99", "wasmcloud:bus/lattice@2.0.1", "wasi:logging/logging"]
        {
            assert_eq!(other_versions(same), None, "{same}");
        }
        for other in [
            "wasi:http/types@0.20.0",
            "wasi:http/types@0.2.0-rc-2023-11-10",
            "wasi:http/types",
            "wasi:keyvalue/store@0.2.0-draft2",
            "wasi:keyvalue/store@0.2.0",
            "wasmcloud:bus/lattice@3.0.0",
        ] {
            assert!(other_versions(other).is_some(), "{other}");
        }
    }
}
