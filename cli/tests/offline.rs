//! What the command does without a lattice: keys, tokens, errors and exit codes.

use std::{path::Path, process::Command};

use serde_json::Value;

/// What a command said and how it ended.
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

/// A project in a folder of its own.
struct Project(tempfile::TempDir);

impl Project {
    fn empty() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn with_keys() -> Self {
        let project = Self::empty();
        assert_eq!(project.wattle(&["keys", "gen", "user"]).code, 0);
        project
    }

    fn wattle(&self, words: &[&str]) -> Said {
        let mut wattle = Command::new(env!("CARGO_BIN_EXE_wattle"));
        wattle.args(words).current_dir(self.0.path()).env_clear().env("HOME", self.0.path());
        let ran = wattle.output().expect("wattle runs");
        Said {
            code: ran.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(ran.stdout).expect("text"),
            stderr: String::from_utf8(ran.stderr).expect("text"),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A user's token made by a project, valid for it alone.
fn signed_user(project: &Project, arguments: &[&str]) -> String {
    let made = project.wattle(&["keys", "gen", "user", "--print"]);
    let key = made.stdout.lines().next().expect("a key").to_owned();
    let sign = ["claims", "sign", "user", &key, "--name", "ana", "--right", "inspect,invoke"];
    let said = project.wattle(&[&sign[..], arguments].concat());
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.stdout.trim().to_owned()
}

#[test]
fn without_a_project_the_error_says_how_to_make_one() {
    let said = Project::empty().wattle(&["get", "inventory"]);
    assert_eq!(said.code, 4);
    assert!(said.stderr.contains("next: wattle up"), "{}", said.stderr);
    assert!(said.stdout.is_empty());
}

#[test]
fn a_lattice_that_was_never_started_is_unreachable() {
    let said = Project::with_keys().wattle(&["get", "inventory", "-o", "json"]);
    assert_eq!(said.code, 5);
    let error: Value = serde_json::from_str(&said.stderr).expect("errors are JSON, too");
    assert_eq!(error["error"]["kind"], "unreachable");
    assert_eq!(error["error"]["next"], "wattle up -d");
}

#[test]
fn wrong_usage_exits_with_two() {
    let project = Project::with_keys();
    for words in [
        &["nonsense"][..],
        &["link", "put", "a", "b", "not-an-interface"],
        &["link", "put", "a", "b", "x:y/z,v:w/z"],
        &["config", "put", "x", "password=hunter2"],
        &["call", "a", "nothing"],
        &["start", "actor", "."],
    ] {
        assert_eq!(project.wattle(words).code, 2, "{words:?}");
    }
}

#[test]
fn keys_are_made_once_and_never_shown_with_their_seeds() {
    let project = Project::with_keys();
    assert_eq!(project.wattle(&["keys", "gen", "account"]).code, 6);
    let listed = project.wattle(&["keys", "list", "-o", "json"]);
    let keys: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let kinds: Vec<&str> =
        keys.as_array().expect("a list").iter().filter_map(|key| key["kind"].as_str()).collect();
    assert_eq!(kinds, ["operator", "account", "user"]);
    for role in kinds {
        let path = project.path().join(format!(".wattle/keys/{role}.nk"));
        let seed = std::fs::read_to_string(path).expect("a seed");
        assert!(!listed.stdout.contains(&seed), "{role}'s seed is shown");
    }
}

#[test]
fn a_token_holds_where_it_was_signed_and_nowhere_else() {
    let (here, elsewhere) = (Project::with_keys(), Project::with_keys());
    let token = signed_user(&here, &["--expires-in", "1h"]);
    assert_eq!(here.wattle(&["claims", "verify", &token]).code, 0);
    let refused = elsewhere.wattle(&["claims", "verify", &token]);
    assert_eq!(refused.code, 3);
    assert!(refused.stdout.contains("holds        no: "), "{}", refused.stdout);
}

#[test]
fn a_changed_token_does_not_hold() {
    let project = Project::with_keys();
    let token = signed_user(&project, &[]);
    let (head, rest) = token.split_once('.').expect("a JWT");
    let (body, rest) = rest.split_once('.').expect("a JWT");
    // Another character in the middle of what is signed.
    let middle = body.len() / 2;
    let other = if body.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let changed = format!("{head}.{}{other}{}.{rest}", &body[..middle], &body[middle + 1..]);
    assert_eq!(project.wattle(&["claims", "verify", &changed]).code, 3);
}

#[test]
fn inspect_shows_what_a_token_says_without_a_project_too() {
    let token = signed_user(&Project::with_keys(), &[]);
    let said = Project::empty().wattle(&["inspect", &token, "-o", "json"]);
    let described: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(described["token"]["body"]["name"], "ana");
    assert_eq!(described["holds"], Value::Null);
}

#[test]
fn a_host_that_nobody_admitted_says_which_command_does() {
    let lattice = Project::with_keys();
    let listed = lattice.wattle(&["keys", "list", "-o", "json"]);
    let keys: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let operator = keys[0]["key"].as_str().expect("the operator's key");
    let nats = "nats://127.0.0.1:1";
    let device = Project::empty();
    let said =
        device.wattle(&["host", "--nats-url", nats, "--trust", operator, "--name", "kitchen"]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("wattle claims sign host N"), "{}", said.stderr);
    assert!(said.stderr.contains("--name kitchen"), "{}", said.stderr);
}
