//! `cargo xtask test`: installs what is missing, builds, runs every test, and counts.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    process::{ExitCode, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result};

use crate::{
    build,
    capabilities::{self, Kept},
    repository::{Repository, step},
    tools,
};

/// What the tests start and use, beside nats-server.
const PROGRAMS: [&str; 8] =
    ["redis-server", "postgres", "initdb", "mosquitto", "wrk", "libfaketime", "socat", "ip"];

/// Runs all tests; `arguments` go to `cargo test`, to run some of them.
pub(crate) fn run(repository: &mut Repository, arguments: &[String]) -> Result<ExitCode> {
    let started = Instant::now();
    tools::nats_server(repository)?;
    tools::debian(repository, &PROGRAMS)?;
    build::workspace_and_tests(repository)?;
    build::all_guests(repository)?;
    step("running the tests");
    let (tally, passed) = run_tests(repository, arguments)?;
    if passed && arguments.is_empty() {
        capabilities::write(repository, &tally.kept)?;
    }
    println!(
        "\nxtask test: {} passed, {} failed, {} ignored, in {} s: {}",
        tally.passed,
        tally.failed,
        tally.ignored,
        started.elapsed().as_secs(),
        if passed { "ok" } else { "FAILED" }
    );
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the tests came to, and whether cargo was content: a test binary that dies has no result line.
fn run_tests(repository: &Repository, arguments: &[String]) -> Result<(Tally, bool)> {
    let mut child = repository
        .cargo()
        .args(["test", "--workspace", "--no-fail-fast"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .context("starting cargo test")?;
    let stdout = child.stdout.take().context("cargo's output was piped")?;
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{line}");
        tally.count(&line);
    }
    let passed = child.wait()?.success() && tally.failed == 0;
    Ok((tally, passed))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// Which provider was seen to keep which contract.
    kept: BTreeSet<Kept>,
}

impl Tally {
    /// Adds a line such as `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; …`; any other line changes nothing.
    fn count(&mut self, line: &str) {
        self.kept.extend(Kept::read(line));
        let Some((_, results)) =
            line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in results.split("; ") {
            match part.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                Some((number, "ignored")) => self.ignored += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_added_up() {
        let mut tally = Tally::default();
        tally.count("running 3 tests");
        tally.count(
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        );
        tally.count(
            "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out",
        );
        assert_eq!(tally, Tally { passed: 7, failed: 3, ignored: 1, kept: BTreeSet::new() });
    }
}
