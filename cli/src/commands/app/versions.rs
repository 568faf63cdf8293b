//! `wattle app get`, `wattle app history` and `wattle app rollback`: what is deployed, what was, and going back to it.

use clap::Args;
use serde_json::json;
use wattle_core::{
    Name,
    app::{History, PastVersion},
    deployment::{Component, Deployment, Phase, Scaler, Version, VersionName},
    link::{ConfigValue, LinkConfig},
};

use super::{
    deploy::tell_grants,
    record::{self, Waiting},
    status::not_deployed,
    wait::Goal,
};
use crate::{
    commands::Context,
    exit::Exit,
    output::Table,
    problem::Problem,
    session::{Session, wadm::Deployed},
};

/// Show what is deployed of an application: each component with its program, settings and limits, and each link
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle app get shop
  wattle app get shop v1 -o json")]
pub(crate) struct GetArgs {
    /// The application
    application: Name,
    /// One of its versions [default: the one that runs]
    version: Option<VersionName>,
}

/// List the versions of an application that were deployed, newest first
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle app history shop")]
pub(crate) struct HistoryArgs {
    /// The application
    application: Name,
}

/// Deploy an earlier version again, and wait until it answers
///
/// Nothing is read again: the version is what it was, to the byte. It comes in the place of the one that runs like any other, and if
/// it does not become healthy in time, that one runs again, if it ever was healthy.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle app rollback shop       # to the version before the one that was deployed last
  wattle app rollback shop v1")]
pub(crate) struct RollbackArgs {
    /// The application
    application: Name,
    /// The version, which `wattle app history` shows [default: the one before]
    version: Option<VersionName>,
    /// Show what would be granted, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn get(context: &Context, args: &GetArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let (deployed, deployment) = deployed(&session, &args.application).await?;
    let version = match args.version.as_ref().or(deployed.version.as_ref()) {
        Some(name) => find(&session, &deployment, name).await?,
        None => return Err(not_deployed(&args.application).into()),
    };
    let runs = deployed.version.as_ref() == Some(&version.name);
    let phase = deployment.phase;
    let application = &args.application;
    let json = json!({
        "application": application,
        "phase": phase,
        "generation": deployed.record.generation,
        "runs": runs,
        "version": version,
    });
    context.output.answer(&json, || {
        let state = match (runs, phase) {
            (true, Phase::Deployed) => "runs",
            (true, Phase::Undeployed) => "undeployed",
            (false, _) => "does not run",
        };
        format!("{application} {}: {state}\n{}", version.name, as_text(&version))
    });
    Ok(Exit::Ok)
}

pub(super) async fn history(context: &Context, args: &HistoryArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let history = session.history(&args.application).await?;
    if history.versions.is_empty() {
        let what = format!("no version of {} is kept", args.application);
        return Err(Problem::new(Exit::NotFound, what).next("wattle app list").into());
    }
    context.output.answer(&history, || {
        let mut table = Table::new(&["VERSION", "FIRST DEPLOYED", "BY", "STATE"]);
        for past in &history.versions {
            let PastVersion { version, signed_at, signed_by, denied } = past;
            let state = match denied {
                Some(reason) => format!("does not hold: {reason}"),
                None if history.runs.as_ref() == Some(version) => "runs".to_owned(),
                None => String::new(),
            };
            table.row([version.to_string(), signed_at.clone(), signed_by.clone(), state]);
        }
        let older = match history.older {
            0 => String::new(),
            older => format!("and {older} older ones"),
        };
        format!("{table}{older}")
    });
    Ok(Exit::Ok)
}

pub(super) async fn rollback(context: &Context, args: RollbackArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let application = &args.application;
    let (before, deployment) = deployed(&session, application).await?;
    let version = match &args.version {
        Some(name) => find(&session, &deployment, name).await?,
        None => earlier(&session, application, &before, &deployment).await?,
    };
    tell_grants(context.output, application, &[], &version);
    if args.dry_run {
        let name = &version.name;
        context.output.answer(&version, || format!("{application} {name}: nothing is changed"));
        return Ok(Exit::Ok);
    }
    check_artifacts(&session, &version).await?;
    let generation = match record::unchanged(Some(&before), &version, None) {
        Some(generation) => generation,
        None => {
            // What was well once goes back to all hosts at once: there is something to get away from.
            let deployment = record::deployment(application, Some(&before), version, None)?;
            record::put(&session, Some(&before), deployment).await?
        }
    };
    args.waiting.until(&session, application, generation, Goal::Runs).await
}

async fn deployed(session: &Session, application: &Name) -> anyhow::Result<(Deployed, Deployment)> {
    let deployed = session.deployed(application).await?;
    let deployed = deployed.ok_or_else(|| not_deployed(application))?;
    match (deployed.record.value.clone(), &deployed.version) {
        (Some(deployment), _) => Ok((deployed, deployment)),
        (None, None) => Err(not_deployed(application).into()),
        (None, Some(runs)) => {
            let what = format!(
                "what is deployed of {application} ({runs}) does not hold any more: its user may not deploy"
            );
            let next = "deploy its manifest anew: wattle app deploy FILE";
            Err(Problem::new(Exit::Denied, what).next(next).into())
        }
    }
}

/// A version by name: of the deployment itself, or of those that are kept.
async fn find(
    session: &Session,
    deployment: &Deployment,
    name: &VersionName,
) -> anyhow::Result<Version> {
    match deployment.versions.iter().find(|version| version.name == *name) {
        Some(version) => Ok(version.clone()),
        None => session.version(&deployment.application, name).await,
    }
}

/// The version before the one that was deployed last.
async fn earlier(
    session: &Session,
    application: &Name,
    before: &Deployed,
    deployment: &Deployment,
) -> anyhow::Result<Version> {
    // One that is on its way back stays on it.
    let known = if deployment.is_return { deployment.version() } else { deployment.before() };
    if let Some(version) = known {
        return Ok(version.clone());
    }
    let History { versions, .. } = session.history(application).await?;
    let asked = deployment.version().map(|version| &version.name);
    let newer = versions.iter().position(|it| Some(&it.version) == asked).map_or(0, |at| at + 1);
    let is_other =
        |it: &&PastVersion| it.denied.is_none() && Some(&it.version) != before.version.as_ref();
    match versions[newer..].iter().find(is_other) {
        Some(past) => find(session, deployment, &past.version).await,
        None => {
            let what = format!("{application} has no earlier version to go back to");
            let next = format!("wattle app history {application}");
            Err(Problem::new(Exit::NotFound, what).next(next).into())
        }
    }
}

/// A program that nobody has any more is said before anything is changed.
async fn check_artifacts(session: &Session, version: &Version) -> anyhow::Result<()> {
    let store = session.lattice.artifacts().await?;
    for component in &version.components {
        let digest = &component.program.artifact;
        if !store.has(digest).await? {
            let what = format!("{}: the artifact {digest} is not stored any more", component.id);
            let next = "deploy its manifest anew: wattle app deploy FILE";
            return Err(Problem::new(Exit::NotFound, what).next(next).into());
        }
    }
    Ok(())
}

fn as_text(version: &Version) -> String {
    let mut lines = Vec::new();
    for component in &version.components {
        let Component { id, program, scaler, probe } = component;
        lines.push(format!("{id}"));
        lines.push(format!("  artifact  {}", program.artifact));
        lines.push(format!("  claims    {}", program.identity.key));
        lines.push(format!("  scaler    {}", scaler_as_text(scaler)));
        if let Some(probe) = probe {
            lines.push(format!("  health    GET {} within {} ms", probe.path, probe.within_ms));
        }
        lines.extend(config_as_text("  config    ", &program.config));
    }
    for link in &version.links {
        let interfaces: Vec<&str> = link.interfaces.iter().map(|it| it.as_str()).collect();
        lines.push(format!(
            "{} -> {} ({}): {}",
            link.source.id,
            link.target.id,
            link.name,
            interfaces.join(", ")
        ));
        for (name, values) in &link.constraints {
            lines.push(format!("  {name}  {}", values.join(", ")));
        }
        lines.extend(config_as_text("  source    ", &link.source_config));
        lines.extend(config_as_text("  target    ", &link.target_config));
    }
    lines.join("\n")
}

fn scaler_as_text(scaler: &Scaler) -> String {
    let per = match scaler {
        Scaler::Spread { .. } => "",
        Scaler::Daemon { .. } => " on each host",
    };
    let shares: Vec<String> = scaler
        .shares()
        .iter()
        .map(|share| {
            let labels: Vec<String> =
                share.requirements.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{} [{}] {}", share.name, labels.join(" "), share.weight)
        })
        .collect();
    let shares = if shares.is_empty() { String::new() } else { format!(": {}", shares.join(", ")) };
    format!("{}{per}{shares}", scaler.instances())
}

/// A line for each setting; secrets by their names.
fn config_as_text<'a>(
    title: &'a str,
    config: &'a LinkConfig,
) -> impl Iterator<Item = String> + use<'a> {
    let named = config.named.iter().map(move |name| format!("{title}the config {name}"));
    let values = config.values.iter().map(move |(key, value)| match value {
        ConfigValue::Plain(text) => format!("{title}{key}={text}"),
        ConfigValue::Secret { secret } => format!("{title}{key} is the secret {secret}"),
    });
    named.chain(values)
}
