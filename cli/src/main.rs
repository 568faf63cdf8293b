//! `wattle`: everything a person does with a lattice.

mod args;
mod commands;
mod contract;
mod describe;
mod exit;
mod guest;
mod hosting;
mod output;
mod problem;
mod project;
mod session;
mod signing;

use std::process::ExitCode;

use clap::Parser;

use crate::{args::Cli, output::Output, problem::Report};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.global.output, cli.global.quiet);
    match commands::run(cli, output) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let report = Report::from(&error);
            output.failed(&report);
            report.exit.into()
        }
    }
}
