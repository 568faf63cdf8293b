//! What the command does without a lattice: keys, tokens, errors and exit codes.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// What a command said and how it ended.
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    fn of(ran: Output) -> Self {
        Self {
            code: ran.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(ran.stdout).expect("text"),
            stderr: String::from_utf8(ran.stderr).expect("text"),
        }
    }
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

    fn command(&self, words: &[&str]) -> Command {
        let mut wattle = Command::new(env!("CARGO_BIN_EXE_wattle"));
        wattle.args(words).current_dir(self.0.path()).env_clear().env("HOME", self.0.path());
        wattle
    }

    fn wattle(&self, words: &[&str]) -> Said {
        Said::of(self.command(words).output().expect("wattle runs"))
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
fn a_command_line_that_makes_no_sense_is_an_error_in_json_too() {
    for json in [&["-o", "json"][..], &["-ojson"], &["--output=json"]] {
        let said = Project::empty().wattle(&[json, &["get", "nonsense"]].concat());
        let error: Value = serde_json::from_str(&said.stderr).expect("one JSON value");
        assert_eq!((said.code, &error["error"]["kind"]), (2, &Value::from("usage")));
        let message = error["error"]["message"].as_str().expect("a message");
        assert!(message.starts_with("unrecognized subcommand 'nonsense'"), "{message}");
    }
    let help = Project::empty().wattle(&["get", "--help", "-o", "json"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
}

#[test]
fn a_program_reads_what_is_wrong_with_a_manifest() {
    let project = Project::with_keys();
    let text = "apiVersion: core.oam.dev/v1beta1\nkind: Pod\nmetadata: {name: shop}\n";
    std::fs::write(project.path().join("shop.yaml"), text).expect("written");
    let said = project.wattle(&["app", "deploy", "shop.yaml", "-o", "json"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    let lines: Vec<Value> = said
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is a JSON value"))
        .collect();
    let [beside, error] = &lines[..] else { panic!("{}", said.stderr) };
    assert_eq!(beside["file"], "shop.yaml", "{beside}");
    assert!(beside["findings"].to_string().contains("kind has to be Application"), "{beside}");
    assert_eq!(error["error"]["kind"], "failed", "{error}");
    let quiet = project.wattle(&["app", "deploy", "shop.yaml", "-o", "json", "--quiet"]);
    assert_eq!((quiet.code, quiet.stderr.lines().count()), (1, 1), "{}", quiet.stderr);
    let valid = project.wattle(&["app", "validate", "shop.yaml", "-o", "json"]);
    let answer: Value = serde_json::from_str(&valid.stdout).expect("JSON");
    assert_eq!((valid.code, &answer["findings"]), (1, &beside["findings"]));
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
        &["start", "actor", "a.wasm", "--memory", "1"],
        &["inspect", "."],
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
fn keys_that_several_commands_make_at_once_are_one_chain() {
    let project = Project::empty();
    let begun = (0..6).map(|_| {
        let mut wattle = project.command(&["keys", "gen", "user"]);
        wattle.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("wattle runs")
    });
    let begun: Vec<_> = begun.collect();
    let said = begun.into_iter().map(|it| Said::of(it.wait_with_output().expect("it ends")));
    let mut codes: Vec<i32> = said.map(|said| said.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 6, 6, 6, 6, 6]);
    let token = signed_user(&project, &[]);
    assert_eq!(project.wattle(&["claims", "verify", &token]).code, 0);
    let listed = project.wattle(&["keys", "list", "-o", "json"]);
    let keys: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let described = project.wattle(&["inspect", &token, "-o", "json"]);
    let described: Value = serde_json::from_str(&described.stdout).expect("JSON");
    assert_eq!(described["token"]["issuer"], keys[1]["key"], "{described}");
}

#[test]
fn a_nats_server_that_does_not_run_or_is_none_is_no_good_news() {
    let project = Project::empty();
    for program in ["/nope", "/bin/true"] {
        let mut doctor = project.command(&["doctor", "-o", "json"]);
        let said = Said::of(doctor.env("WATTLE_NATS_SERVER", program).output().expect("it runs"));
        assert_eq!(said.code, 1, "{}", said.stderr);
        let findings: Value = serde_json::from_str(&said.stdout).expect("JSON");
        assert_eq!(findings[0]["what"], "nats-server", "{findings}");
        assert_eq!(findings[0]["state"], "bad", "{findings}");
        assert!(findings[0]["found"].as_str().is_some_and(|it| it.contains(program)), "{findings}");
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
