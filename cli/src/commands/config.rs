//! `wattle config`: named settings, signed, for actors, providers and links.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use wattle_claims::RecordKey;
use wattle_core::{
    Name,
    control::{Command, Outcome},
    link::ConfigValue,
};

use super::Context;
use crate::{
    args::value,
    exit::Exit,
    output::Table,
    problem::Problem,
    session::{Session, entities::unexpected},
};

/// Keep named settings for actors, providers and links
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:\n  wattle config put greeting text=hello")]
pub(crate) enum ConfigCommand {
    /// Put a config under a name, or replace it whole
    Put(PutArgs),
    /// Show a config; secrets by name only
    #[command(after_help = "Example:\n  wattle config get greeting")]
    Get(NameArgs),
    /// Delete a config
    #[command(after_help = "Example:\n  wattle config del greeting")]
    Del(NameArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle config put greeting text=hello lang=en
  wattle config put redis --secret url=redis-url     # read from the host's --secrets-dir
  wattle start actor greeter.wasm --config greeting")]
pub(crate) struct PutArgs {
    /// The config's name
    name: Name,
    /// Settings
    #[arg(value_name = "KEY=VALUE", value_parser = value::pair, required_unless_present = "secret")]
    settings: Vec<(String, String)>,
    /// A setting that hosts read from the secret NAME when it is used; repeatable
    #[arg(long, value_name = "KEY=NAME", value_parser = value::secret)]
    secret: Vec<(String, Name)>,
    /// Take passwords in plain settings
    #[arg(long)]
    plaintext_secrets: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// The config's name
    name: Name,
}

pub(crate) async fn run(context: &Context, command: ConfigCommand) -> anyhow::Result<Exit> {
    match command {
        ConfigCommand::Put(args) => put(context, args).await,
        ConfigCommand::Get(args) => get(context, &args.name).await,
        ConfigCommand::Del(args) => delete(context, args.name).await,
    }
}

async fn put(context: &Context, args: PutArgs) -> anyhow::Result<Exit> {
    let values = value::settings(&args.settings, &args.secret)
        .map_err(|error| Problem::new(Exit::Usage, error))?;
    if let Some(key) = value::password_in(&values).filter(|_| !args.plaintext_secrets) {
        let what =
            format!("{key}=… would keep a password where whoever may inspect the lattice reads it");
        let next = format!(
            "keep it in a file of the host's --secrets-dir and say --secret {key}=NAME, or add --plaintext-secrets"
        );
        return Err(Problem::new(Exit::Usage, what).next(next).into());
    }
    let session = context.session().await?;
    let host = session.host().await?;
    let key = record(&session, args.name.clone());
    let done = session.put_record(&[host], key, Some(values), 0, None).await?;
    context.output.answer(&done, || format!("config {} put", args.name));
    Ok(Exit::Ok)
}

async fn get(context: &Context, name: &Name) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let host = session.host().await?;
    let settings = match session.ask(&host, Command::GetConfig { name: name.clone() }).await? {
        Outcome::Config(settings) => settings,
        other => return Err(unexpected(&other)),
    };
    context.output.answer(&settings, || as_text(&settings));
    Ok(Exit::Ok)
}

async fn delete(context: &Context, name: Name) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let host = session.host().await?;
    // Asked first, so that a wrong name is an error rather than a tombstone of nothing.
    session.ask(&host, Command::GetConfig { name: name.clone() }).await?;
    let key = record(&session, name.clone());
    let done =
        session.put_record::<BTreeMap<String, ConfigValue>>(&[host], key, None, 0, None).await?;
    context.output.answer(&done, || format!("config {name} deleted"));
    Ok(Exit::Ok)
}

fn record(session: &Session, name: Name) -> RecordKey {
    RecordKey::Config { account: session.account.clone(), name }
}

fn as_text(settings: &BTreeMap<String, String>) -> String {
    let mut table = Table::new(&["KEY", "VALUE"]);
    for (key, value) in settings {
        table.row([key.clone(), value.clone()]);
    }
    table.or("no settings")
}
