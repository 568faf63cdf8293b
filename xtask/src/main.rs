//! The few commands of the repository itself.

use std::process::ExitCode;

mod bench;
mod build;
mod capabilities;
mod chaos;
mod demo;
mod http;
mod interrupts;
mod lattice;
mod lint;
mod numbers;
mod repository;
mod scratch;
mod simulate;
mod test;
mod tools;

use repository::Repository;

const USAGE: &str = "\
The commands of the repository itself.

Usage: cargo xtask <command>

  demo                 install what is missing, build, start a lattice, deploy both examples, and serve until Ctrl-C
  test [ARGS…]         install what is missing, build, and run every test; ARGS go to `cargo test`
  bench [--json FILE] [--rounds N] [--seconds N] [--only IDS]
                       measure, and write docs/benchmarks.md; IDS are letters of rows, s is the time of a start
  chaos [--minutes N] [--seed N]
                       kill, freeze and cut at random for so long, 2 minutes unless told, and check what was promised
  simulate [--seeds N] [--seed S]
                       plan and reconcile in N worlds that misbehave, 10,000 unless told; or in the one of a seed
  lint                 rustfmt and clippy, warnings denied
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    match run(&command, &rest) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask {command}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, rest: &[String]) -> anyhow::Result<ExitCode> {
    let mut repository = Repository::find()?;
    match command {
        "demo" => demo::run(&mut repository),
        "test" => test::run(&mut repository, rest),
        "bench" => bench::run(&mut repository, rest),
        "chaos" => chaos::run(&mut repository, rest),
        "simulate" => simulate::run(&repository, rest),
        "lint" => lint::run(&repository),
        "" | "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        unknown => {
            eprint!("xtask: there is no command {unknown:?}\n\n{USAGE}");
            Ok(ExitCode::from(2))
        }
    }
}
