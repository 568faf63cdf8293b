//! What `wattle new` writes, as golden files in `tests/new`, and what it refuses. `WATTLE_UPDATE_GOLDEN=1` writes them anew.
//!
//! The golden provider is compiled with every build of the tests (`[[example]]` in `Cargo.toml`), so it compiles without warnings.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/new")
}

fn repository() -> PathBuf {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    above.expect("the crate lies in the repository").to_owned()
}

fn wattle(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wattle"));
    command.args(arguments).current_dir(folder).output().expect("wattle runs")
}

#[track_caller]
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let ran = wattle(folder, arguments);
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}

/// Runs it with JSON, and gives exit code, message and next step.
#[track_caller]
fn fails(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let ran = wattle(folder, &[arguments, &["-o", "json"]].concat());
    assert!(!ran.status.success(), "{arguments:?}");
    let stderr = String::from_utf8(ran.stderr).expect("text");
    let said: Value = serde_json::from_str(&stderr).unwrap_or_else(|_| panic!("{stderr}"));
    let text = |key: &str| said["error"][key].as_str().unwrap_or_default().to_owned();
    (ran.status.code().unwrap_or_default(), text("message"), text("next"))
}

/// All files below a folder but those of the WIT, which are copies.
fn files(folder: &Path, below: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder.join(below)).expect("a folder") {
        let name = below.join(entry.expect("an entry").file_name());
        let path = folder.join(&name);
        if !path.is_dir() {
            let text = fs::read_to_string(&path).expect("text");
            let text = text.replace(&*repository().to_string_lossy(), "/wattle");
            found.insert(name, text);
        } else if !name.ends_with("wit") {
            files(folder, &name, found);
        }
    }
}

#[track_caller]
fn assert_golden(made: &Path, golden: &str) {
    let mut found = BTreeMap::new();
    files(made, Path::new(""), &mut found);
    let golden = here().join(golden);
    for (name, text) in found {
        // Else cargo and git would take these for their own.
        let name = match name.to_string_lossy().as_ref() {
            "Cargo.toml" => "Cargo.toml.golden".into(),
            ".gitignore" => "gitignore.golden".into(),
            _ => name,
        };
        let path = golden.join(&name);
        if std::env::var_os("WATTLE_UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
            fs::write(&path, &text).expect("golden files can be written");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "{} is not what is made now", path.display());
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn wit() -> String {
    here().join("wit").display().to_string()
}

#[test]
fn a_provider_of_every_kind_of_type_is_the_golden_one() {
    let folder = folder();
    let said = succeeds(folder.path(), &["new", "provider", "everything", "--wit", &wit()]);
    for line in [
        "for wattle-test:everything/carts, wattle-test:everything/checkout, wattle-test:everything/shapes",
        "next: wattle build everything",
        "wattle start provider everything/build/everything.tar",
    ] {
        assert!(said.contains(line), "{said}");
    }
    let made = folder.path().join("everything");
    assert_golden(&made, "provider");
    let copied = fs::read_to_string(made.join("wit/deps/other/units.wit")).expect("copied");
    assert_eq!(copied, fs::read_to_string(here().join("wit/deps/other/units.wit")).expect("there"));
}

#[test]
fn an_actor_is_the_golden_one() {
    let folder = folder();
    let arguments = ["new", "actor", "asker", "--wit", &wit(), "--interface", "shapes"];
    succeeds(folder.path(), &arguments);
    assert_golden(&folder.path().join("asker"), "actor");
    succeeds(folder.path(), &["new", "actor", "hello"]);
    let lib = fs::read_to_string(folder.path().join("hello/src/lib.rs")).expect("made");
    assert!(!lib.contains("wit_bindgen"), "{lib}");
}

#[test]
fn a_contract_is_written_again_when_its_wit_has_changed() {
    let folder = folder();
    let text = "package a:b@0.1.0;\ninterface c { one: func(); }\ninterface d { no: func(); }\n";
    fs::write(folder.path().join("b.wit"), text).expect("written");
    let made = ["new", "provider", "p", "--wit", "b.wit", "--interface", "a:b/c", "-o", "json"];
    let said: Value = serde_json::from_str(&succeeds(folder.path(), &made)).expect("JSON");
    assert_eq!(said["interfaces"], serde_json::json!(["a:b/c"]));
    let again = ["new", "contract", "p", "-o", "json"];
    let changed =
        |text: &str| serde_json::from_str::<Value>(text).expect("JSON")["changed"].clone();
    assert_eq!(changed(&succeeds(folder.path(), &again)), false);
    let wit = folder.path().join("p/wit/b.wit");
    fs::write(&wit, text.replace("one: func();", "one: func(); two: func() -> string;"))
        .expect("written");
    assert_eq!(changed(&succeeds(folder.path(), &again)), true);
    let contract = fs::read_to_string(folder.path().join("p/src/contract.rs")).expect("there");
    assert!(contract.contains("fn two(") && !contract.contains("mod d"), "{contract}");
    let provider = fs::read_to_string(folder.path().join("p/src/provider.rs")).expect("there");
    assert!(!provider.contains("fn two("), "what was filled in is left alone");
    fs::write(
        folder.path().join("p/Cargo.toml"),
        "[package]\nname = \"p\"\nedition = \"2024\"\n[workspace]\n",
    )
    .expect("written");
    let (code, message, next) = fails(folder.path(), &["new", "contract", "p"]);
    assert_eq!(code, 4, "{message}");
    assert!(next.contains("exports"), "{next}");
}

#[test]
fn what_cannot_be_carried_is_named() {
    for (text, named) in [
        ("interface c { read: func() -> stream<u8>; }", "a:b/c.read has a stream"),
        ("interface c { read: func() -> future<u8>; }", "a:b/c.read has a future"),
        ("interface c { type t = map<string, u8>; f: func(); }", "a:b/c.t has a map"),
        ("interface c { f: func(x: list<u8, 4>); }", "a:b/c.f has a list of a fixed length"),
        ("interface c { f: async func(); }", "a:b/c.f has an async function"),
        (
            "interface c { use d.{r}; f: func(x: borrow<r>); } interface d { resource r { m: func(); } }",
            "a:b/c.f has the resource r of a:b/d, which this provider does not answer",
        ),
    ] {
        let folder = folder();
        fs::write(folder.path().join("b.wit"), format!("package a:b;\n{text}\n")).expect("written");
        let made = ["new", "provider", "p", "--wit", "b.wit", "--interface", "c"];
        let (code, message, next) = fails(folder.path(), &made);
        assert_eq!(code, 1, "{message}");
        assert!(message.contains(named) && !next.is_empty(), "{message} {next}");
        assert!(!folder.path().join("p").exists(), "nothing is half made");
    }
}

#[test]
fn what_is_wrong_is_said_before_anything_is_made() {
    let folder = folder();
    fs::write(folder.path().join("bad.wit"), "package a:b;\ninterface c { f: func( }\n")
        .expect("written");
    fs::write(folder.path().join("empty.wit"), "package a:b;\ninterface c {}\n").expect("written");
    fs::write(folder.path().join("b.wit"), "package a:b;\ninterface c { f: func(); }\n")
        .expect("written");
    let provider = |name: &'static str, wit: &'static str| ["new", "provider", name, "--wit", wit];
    for (arguments, code, named) in [
        (provider("p", "nothing.wit").to_vec(), 4, "no WIT at nothing.wit"),
        (provider("p", "bad.wit").to_vec(), 1, "bad.wit:2"),
        (provider("p", "empty.wit").to_vec(), 1, "no interface of a:b has a function"),
        (provider("7up", "b.wit").to_vec(), 2, "begins with no letter"),
        ([&provider("p", "b.wit")[..], &["--interface", "d"]].concat(), 4, "there is a:b/c"),
        (
            [&provider("p", "b.wit")[..], &["--wattle", "/nowhere"]].concat(),
            4,
            "/nowhere is no checkout",
        ),
    ] {
        let (found, message, _) = fails(folder.path(), &arguments);
        assert_eq!(found, code, "{arguments:?}: {message}");
        assert!(message.contains(named), "{arguments:?}: {message}");
        assert!(!folder.path().join("p").exists());
    }
    succeeds(folder.path(), &provider("p", "b.wit"));
    assert_eq!(fails(folder.path(), &provider("p", "b.wit")).0, 6);
}
