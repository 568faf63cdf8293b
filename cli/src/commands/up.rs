//! `wattle up`: a lattice on this machine, from nothing: keys, a nats-server, a host.

mod detached;
mod servers;

use clap::Args;
use serde_json::json;
use wattle_claims::Timestamp;
use wattle_core::HostKey;

use super::Context;
use crate::{
    exit::Exit,
    hosting::{self, Given, HostOptions, Identity, Signals, telemetry},
    project::{Project, keys::Role, lattice_file::LatticeFile},
    session::Standing,
};

use self::{detached::Started, servers::Server};

/// Start a lattice on this machine: keys on first use, a nats-server, a host
///
/// Uses the NATS that --nats-url names, else starts the machine's own nats-server on loopback with credentials of its own and
/// its data in .wattle/nats. What ran when it was stopped runs again. Ctrl-C, or `wattle down`, stops both.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle up                # in the foreground, until Ctrl-C
  wattle up -d             # in the background, until wattle down
  wattle up -d --nats-url nats://10.0.0.5:4222 --creds site.creds")]
pub(crate) struct UpArgs {
    /// Run in the background; returns when the host answers
    #[arg(short, long)]
    detach: bool,
    #[command(flatten)]
    options: HostOptions,
}

pub(crate) async fn run(context: &Context, args: UpArgs) -> anyhow::Result<Exit> {
    let project = Project::find_or_create(&context.global, context.output)?;
    let lock = project.lock()?;
    let mut file = prepare(context, &project)?;
    let running = file.live_host().cloned();
    // Held from before anything is started: a Ctrl-C in between must stop it again.
    let mut signals = Signals::new()?;
    let outlive = args.detach || running.is_some();
    let server = servers::ensure(context, &project, &mut file, outlive).await?;
    if let Some(host) = running {
        server.leave();
        detached::wait_until_it_answers(context, &host.key, None).await?;
        report(context, &project, &host.key, true)?;
        return Ok(Exit::Ok);
    }
    let name = args.options.name.as_ref();
    let given = Given { name, ..Given::default() };
    let identity = Identity::establish(&project, file.name(), given, context.output)?;
    if args.detach {
        return background(context, &project, &identity, &args.options, server).await;
    }
    Box::pin(foreground(context, &project, identity, &args.options, server, &mut signals, lock))
        .await
}

/// Keys and `lattice.json`, made on first use.
fn prepare(context: &Context, project: &Project) -> anyhow::Result<LatticeFile> {
    if project.keys().ensure_chain(Timestamp::now())? {
        context.output.note("made development keys: operator, account and user");
    }
    let mut file = project.lattice()?;
    if let Some(lattice) = &context.global.lattice {
        file.lattice = Some(lattice.clone());
    }
    let standing = Standing::of(&project.keys().token(Role::User)?, &file.name())?;
    file.operator = Some(standing.audience.operator);
    file.account = Some(standing.account);
    project.save(&file)?;
    Ok(file)
}

async fn background(
    context: &Context,
    project: &Project,
    identity: &Identity,
    options: &HostOptions,
    server: Server,
) -> anyhow::Result<Exit> {
    match detached::start(context, project, identity, options).await {
        Ok(Started::Answers(key)) => {
            server.leave();
            report(context, project, &key, false)?;
            Ok(Exit::Ok)
        }
        Ok(Started::Silent(error)) => {
            server.leave();
            Err(error)
        }
        Err(error) => {
            server.stop(context, project).await?;
            Err(error)
        }
    }
}

async fn foreground(
    context: &Context,
    project: &Project,
    identity: Identity,
    options: &HostOptions,
    server: Server,
    signals: &mut Signals,
    lock: crate::project::file::Lock,
) -> anyhow::Result<Exit> {
    let logbook = telemetry::init(&options.log, !context.global.quiet)?;
    let file = project.lattice()?;
    let nats = crate::session::nats(&context.global, &file, project)?;
    let host = Box::pin(hosting::start(project, identity, options, &nats, logbook)).await?;
    report(context, project, host.key(), false)?;
    context.output.note("Ctrl-C stops it");
    drop(lock); // from here on `wattle down` may stop us
    let cut = host.serve(signals).await?;
    server.stop(context, project).await?;
    let cut = if cut == 0 { String::new() } else { format!("; {cut} calls were cut") };
    context.output.note(&format!("stopped{cut}"));
    Ok(Exit::Ok)
}

fn report(
    context: &Context,
    project: &Project,
    host: &HostKey,
    already: bool,
) -> anyhow::Result<()> {
    let file = project.lattice()?;
    let name = file.host.as_ref().map(|host| host.name.to_string()).unwrap_or_default();
    let url = file.nats.as_ref().map(|nats| nats.url.clone()).unwrap_or_default();
    let json = json!({
        "lattice": file.name(),
        "host": {"key": host, "name": name, "pid": file.host.as_ref().map(|host| host.process.pid)},
        "nats": {"url": url, "pid": file.nats_pid},
        "folder": project.dir(),
        "already-running": already,
    });
    context.output.answer(&json, || {
        let lattice = file.name();
        let state = if already { "is up already" } else { "is up" };
        format!(
            "lattice {lattice} {state}\n  host      {name} ({host})\n  nats      {url}\n  folder    {}\n\
             try:\n  wattle build examples/http-hello\n  wattle start provider http-server\n  \
             wattle get inventory\n  wattle logs --follow\n  wattle down",
            project.dir().display()
        )
    });
    Ok(())
}
