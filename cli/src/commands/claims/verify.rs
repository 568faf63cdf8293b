//! `wattle claims verify`.

use clap::Args;

use crate::{
    commands::{
        Context,
        inspect::{as_text, bytes, trust},
    },
    describe::describe,
    exit::Exit,
    problem::Problem,
};

/// Check a signed file or token against whom the project trusts
///
/// Exits with 0 if it holds now, and with 3 and the reason if not. Of revocations those count that this project made; hosts know all.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle claims verify build/counter.signed.wasm")]
pub(crate) struct VerifyArgs {
    /// A file, a token, or - for stdin
    #[arg(value_name = "WHAT")]
    what: String,
}

pub(super) fn run(context: &Context, args: &VerifyArgs) -> anyhow::Result<Exit> {
    let bytes = bytes(&args.what)?
        .ok_or_else(|| Problem::new(Exit::NotFound, format!("no file {}", args.what)))?;
    let trust = trust(context)?.ok_or_else(|| {
        Problem::new(Exit::NotFound, "no project here says whom to trust")
            .next("run this in a project's folder, or name it with --dir")
    })?;
    let described = describe(&bytes, Some(&trust))
        .map_err(|error| Problem::new(Exit::Denied, format!("{}: {error:#}", args.what)))?;
    context.output.answer(&described, || as_text(&described));
    Ok(if described.holds == Some(true) { Exit::Ok } else { Exit::Denied })
}
