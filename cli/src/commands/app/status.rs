//! `wattle app list` and `wattle app status`.

use std::time::Duration;

use clap::Args;
use wattle_core::{
    Name,
    app::{ApplicationState, ApplicationStatus, ApplicationSummary},
    deployment::Phase,
};

use crate::{commands::Context, exit::Exit, output::Table, problem::Problem};

/// Between two looks of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// List the applications that are deployed
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle app list")]
pub(crate) struct ListArgs;

/// Show how an application stands: each component, where it is, and what is wrong
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle app status shop
  wattle app status shop --watch")]
pub(crate) struct StatusArgs {
    /// The application
    application: Name,
    /// Again each second, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
}

pub(super) async fn list(context: &Context) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    let all = session.applications().await?;
    context.output.answer(&all, || {
        let mut table = Table::new(&["APPLICATION", "VERSION", "STATE", "COMPONENTS", "READY"]);
        for summary in &all {
            table.row([
                summary.application.to_string(),
                summary.version.to_string(),
                state(summary),
                summary.components.to_string(),
                format!("{}/{}", summary.ready, summary.wanted),
            ]);
        }
        table.or("nothing is deployed; deploy something: wattle app deploy FILE")
    });
    Ok(Exit::Ok)
}

pub(super) async fn status(context: &Context, args: &StatusArgs) -> anyhow::Result<Exit> {
    let session = context.session().await?;
    loop {
        let status = session.application(&args.application).await?;
        let status = status.ok_or_else(|| not_deployed(&args.application))?;
        if !args.watch {
            context.output.answer(&status, || as_text(&status));
            return Ok(Exit::Ok);
        }
        context.output.again(&status, || as_text(&status));
        tokio::time::sleep(WATCH_EVERY).await;
    }
}

pub(super) fn not_deployed(application: &Name) -> Problem {
    let what = format!("no application {application} is deployed");
    Problem::new(Exit::NotFound, what).next("wattle app list")
}

fn state(summary: &ApplicationSummary) -> String {
    let is_to_go = summary.phase == Phase::Undeployed;
    let text = match &summary.state {
        ApplicationState::Settled if is_to_go && !summary.is_used => "undeployed",
        ApplicationState::Settled if is_to_go => "undeployed, in use",
        ApplicationState::Settled => "deployed",
        ApplicationState::Changing if is_to_go => "stopping",
        ApplicationState::Changing => "changing",
        ApplicationState::Canary => "canary",
        ApplicationState::Failing => "failing",
        ApplicationState::GivenUp { version, .. } => return format!("gave up {version}"),
    };
    text.to_owned()
}

fn as_text(status: &ApplicationStatus) -> String {
    let mut table = Table::new(&["COMPONENT", "HOST", "READY", "PROBLEM"]);
    for component in &status.components {
        let id = component.id.to_string();
        if component.hosts.is_empty() {
            let ready = format!("{}/{}", component.ready, component.wanted);
            table.row([id.clone(), "-".to_owned(), ready, String::new()]);
        }
        for host in &component.hosts {
            let problem = host.problem.clone().unwrap_or_default();
            let ready = format!("{}/{}", host.ready, host.wanted);
            table.row([id.clone(), host.name.to_string(), ready, problem]);
        }
    }
    let mut text =
        format!("{} {}: {}\n{table}", status.application, status.version, state(&status.summary()));
    match &status.state {
        ApplicationState::GivenUp { version, reason } => {
            text.push_str(&format!("version {version} was given up: {reason}\n"));
        }
        ApplicationState::Canary => {
            text.push_str("it answers on its canary's part of the hosts, and goes further if it goes on doing so\n");
        }
        _ => {}
    }
    // What a host could not do stands in its line.
    let of_hosts = status.components.iter().flat_map(|component| &component.hosts);
    let shown = of_hosts.filter(|host| host.problem.is_some()).count();
    for problem in status.problems().into_iter().skip(shown) {
        text.push_str(&format!("! {problem}\n"));
    }
    text
}
