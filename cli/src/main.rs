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

use crate::{
    args::Cli,
    exit::Exit,
    output::{Format, Output},
    problem::Report,
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error),
    };
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

/// What clap has to say: help, the version, or why a command line makes no sense, which programs read as they read other errors.
fn not_understood(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || !args::asks_for_json(std::env::args_os()) {
        error.exit();
    }
    let text = error.render().to_string();
    let message = text.trim().strip_prefix("error: ").unwrap_or(text.trim()).to_owned();
    Output::new(Format::Json, true).failed(&Report { exit: Exit::Usage, message, next: None });
    Exit::Usage.into()
}
