//! Every command's help, as golden files in `tests/help`. `WATTLE_UPDATE_GOLDEN=1 cargo test -p wattle-cli` writes them anew.

use std::{collections::BTreeMap, path::PathBuf, process::Command};

/// A command's words, `-` between them in file names.
type Words = Vec<String>;

fn help(words: &[String]) -> String {
    let mut wattle = Command::new(env!("CARGO_BIN_EXE_wattle"));
    wattle.args(words).arg("--help");
    // What shows in help must not depend on who runs the tests.
    wattle.env_clear().env("COLUMNS", "100");
    let ran = wattle.output().expect("wattle runs");
    assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("help is text")
}

/// The names listed below `Commands:`.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let listed = listed.lines().take_while(|line| !line.is_empty());
    // Continued descriptions are indented further than names.
    let named = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn all_help() -> BTreeMap<Words, String> {
    let mut all = BTreeMap::new();
    let mut open = vec![Words::new()];
    while let Some(words) = open.pop() {
        let text = help(&words);
        for name in subcommands(&text) {
            let mut words = words.clone();
            words.push(name);
            open.push(words);
        }
        all.insert(words, text);
    }
    all
}

#[test]
fn every_commands_help_is_the_golden_one_and_has_an_example() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    let update = std::env::var_os("WATTLE_UPDATE_GOLDEN").is_some();
    let all = all_help();
    assert!(all.len() > 30, "only {} commands were found", all.len());
    let mut different = Vec::new();
    for (words, text) in &all {
        assert!(words.is_empty() || text.contains("Example"), "{words:?} shows no example");
        let name = if words.is_empty() { "wattle".to_owned() } else { words.join("-") };
        let path = folder.join(format!("{name}.txt"));
        if update {
            std::fs::write(&path, text).expect("golden files can be written");
        } else if std::fs::read_to_string(&path).unwrap_or_default() != *text {
            different.push(name);
        }
    }
    assert!(different.is_empty(), "help changed: {different:?}");
    let golden = std::fs::read_dir(&folder).expect("there are golden files").count();
    assert_eq!(golden, all.len(), "there are golden files of commands that are no more");
}
