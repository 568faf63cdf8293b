//! `wattle keys`: who may sign.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use wattle_claims::{KeyKind, KeyPair, Timestamp};
use wattle_core::Name;

use super::Context;
use crate::{
    exit::Exit,
    output::Table,
    problem::Problem,
    project::{
        Project,
        keys::{Artifact, Keys},
    },
};

/// Make and list keys
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle keys list")]
pub(crate) enum KeysCommand {
    /// Make a key in the project's folder, or print one with its seed
    Gen(GenArgs),
    /// List the project's keys, without their seeds
    #[command(after_help = "Example:\n  wattle keys list -o json")]
    List,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle keys gen actor counter       # kept in .wattle/keys/actors/counter.nk
  wattle keys gen account             # operator, account and user, if there is none of them
  wattle keys gen user --print        # the seed goes to stdout and nowhere else")]
pub(crate) struct GenArgs {
    /// What the key is for
    #[arg(value_enum)]
    kind: KindArg,
    /// An actor's or provider's name
    #[arg(required_if_eq_any([("kind", "actor"), ("kind", "provider")]))]
    name: Option<Name>,
    /// Print the key and its seed instead of keeping it
    #[arg(long)]
    print: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KindArg {
    Operator,
    Account,
    User,
    Host,
    Actor,
    Provider,
}

impl From<KindArg> for KeyKind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Operator => Self::Operator,
            KindArg::Account => Self::Account,
            KindArg::User => Self::User,
            KindArg::Host => Self::Host,
            KindArg::Actor => Self::Actor,
            KindArg::Provider => Self::Provider,
        }
    }
}

pub(crate) fn run(context: &Context, command: KeysCommand) -> anyhow::Result<Exit> {
    match command {
        KeysCommand::Gen(args) if args.print => Ok(print(context, args.kind)),
        KeysCommand::Gen(args) => generate(context, &args),
        KeysCommand::List => list(context, &Project::require(&context.global)?.keys()),
    }
}

fn print(context: &Context, kind: KindArg) -> Exit {
    let key = KeyPair::generate(kind.into());
    let (public, seed) = (key.public(), key.seed());
    context.output.answer(&json!({"key": public, "seed": seed}), || format!("{public}\n{seed}"));
    Exit::Ok
}

fn generate(context: &Context, args: &GenArgs) -> anyhow::Result<Exit> {
    let project = Project::find_or_create(&context.global, context.output)?;
    let keys = project.keys();
    match (args.kind, &args.name) {
        (KindArg::Operator | KindArg::Account | KindArg::User, _) => {
            if !keys.ensure_chain(Timestamp::now())? {
                let what = format!("{} has keys already", project.dir().display());
                return Err(Problem::new(Exit::Conflict, what).next("wattle keys list").into());
            }
            list(context, &keys)
        }
        (KindArg::Actor, Some(name)) => artifact(context, &keys, Artifact::Actor, name),
        (KindArg::Provider, Some(name)) => artifact(context, &keys, Artifact::Provider, name),
        _ => {
            let what = "a host makes its own key when it is started";
            Err(Problem::new(Exit::Usage, what).next("wattle host, or --print").into())
        }
    }
}

fn artifact(
    context: &Context,
    keys: &Keys,
    artifact: Artifact,
    name: &Name,
) -> anyhow::Result<Exit> {
    let path = keys.artifact_path(artifact, name);
    if path.exists() {
        let what = format!("{} is there already", path.display());
        return Err(Problem::new(Exit::Conflict, what).next("wattle keys list").into());
    }
    let key = keys.artifact(artifact, name)?.public();
    context.output.answer(&json!({"key": key, "file": path}), || {
        format!("{key}\nits seed is in {}", path.display())
    });
    Ok(Exit::Ok)
}

fn list(context: &Context, keys: &Keys) -> anyhow::Result<Exit> {
    let listed = keys.list()?;
    context.output.answer(&listed, || {
        let mut table = Table::new(&["KIND", "NAME", "KEY", "SEED IN"]);
        for key in &listed {
            let file = key.file.display().to_string();
            table.row([key.kind.to_owned(), key.name.clone(), key.key.clone(), file]);
        }
        table.or("no keys; make a development chain: wattle keys gen user")
    });
    Ok(Exit::Ok)
}
