//! `wattle up`: a lattice on this machine, from nothing: keys, a nats-server, a host.

mod detached;

use clap::Args;
use serde_json::json;
use wattle_claims::Timestamp;
use wattle_core::{HostKey, Name};
use wattle_host::DataDir;

use super::Context;
use crate::{
    exit::Exit,
    hosting::{self, Given, HostOptions, Identity, Signals, machine_name, server, telemetry},
    problem::Problem,
    project::{
        Project,
        file::Lock,
        home::{Home, Homes},
        keys::Role,
        lattice_file::LatticeFile,
    },
    session::Standing,
};

use self::detached::Started;

/// Start a lattice on this machine: keys on first use, a nats-server, a host
///
/// Uses the NATS that --nats-url names, else starts the machine's own nats-server on loopback with credentials of its own and
/// its data in .wattle/nats. What ran when it was stopped runs again. Ctrl-C, or `wattle down`, stops both.
///
/// Where a host runs already, this starts a further one, which joins the same lattice: with --name the one of that name, else
/// one that was here before, else a new one. The nats-server goes on until the last host stops.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle up                # in the foreground, until Ctrl-C
  wattle up -d             # in the background, until wattle down
  wattle up -d             # again: a second host on the same lattice
  wattle up -d --name pi   # the host of that name, if it does not run yet
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
    hosting::refuse_copy(&project).await?;
    let file = prepare(context, &project)?;
    let (home, name) = Homes::of(&project)?.choose(args.options.name.as_ref(), &machine_name()?);
    let running = file.live_hosts(&project).find(|host| host.name == name);
    let running = running.map(|host| host.key.clone());
    // Taken from before anything is started: a Ctrl-C in between must stop it again.
    let mut signals = Signals::new()?;
    let ensured = server::ensure(&context.global, context.output, &project);
    let is_new = match signals.unless(ensured).await {
        Ok(is_new) => is_new,
        Err(error) => {
            server::stop_if_unused(context.output, &project).await?;
            return Err(error);
        }
    };
    if let Some(host) = running {
        signals.unless(detached::wait_until_it_answers(context, &host, None)).await?;
        report(context, &project, &host, true)?;
        return Ok(Exit::Ok);
    }
    let data_dir = match hosting::claim(&project, &home).await {
        Ok(data_dir) => data_dir,
        Err(error) => {
            // Where somebody else runs a host already, a server that was there is theirs, too.
            if is_new {
                server::stop_if_unused(context.output, &project).await?;
            }
            return Err(error);
        }
    };
    let next = Next { context, project: &project, home, options: &args.options };
    if args.detach {
        return next.in_background(&name, data_dir, signals).await;
    }
    Box::pin(next.in_foreground(&name, data_dir, signals, lock)).await
}

/// Keys and `lattice.json`, made on first use.
fn prepare(context: &Context, project: &Project) -> anyhow::Result<LatticeFile> {
    if project.keys().ensure_chain(Timestamp::now())? {
        context.output.note("made development keys: operator, account and user");
    }
    let file = project.lattice()?;
    let name = context.global.lattice.clone().unwrap_or_else(|| file.name());
    if let Some(host) = file.live_hosts(project).next()
        && name != file.name()
    {
        let what = format!("host {} of this project is on lattice {}", host.name, file.name());
        let problem = Problem::new(Exit::Conflict, what);
        return Err(problem.next("wattle down, or another folder with --dir").into());
    }
    let standing = Standing::of(&project.keys().token(Role::User)?, &name)?;
    project.change(|file| {
        file.lattice = context.global.lattice.clone().or_else(|| file.lattice.take());
        file.operator = Some(standing.audience.operator);
        file.account = Some(standing.account);
    })
}

/// A host that is to run; its NATS is there.
struct Next<'a> {
    context: &'a Context,
    project: &'a Project,
    home: Home,
    options: &'a HostOptions,
}

impl Next<'_> {
    async fn in_background(
        self,
        name: &Name,
        data_dir: DataDir,
        mut signals: Signals,
    ) -> anyhow::Result<Exit> {
        let Self { context, project, .. } = self;
        match detached::start(&self, name, data_dir, &mut signals).await {
            Ok(Started::Answers(key)) => {
                report(context, project, &key, false)?;
                Ok(Exit::Ok)
            }
            Ok(Started::Silent(error)) => Err(error),
            // None of it runs any more.
            Err(error) => {
                server::stop_if_unused(context.output, project).await?;
                Err(error)
            }
        }
    }

    async fn in_foreground(
        self,
        name: &Name,
        data_dir: DataDir,
        mut signals: Signals,
        lock: Lock,
    ) -> anyhow::Result<Exit> {
        let Self { context, project, .. } = self;
        let host = match Box::pin(self.start(name, data_dir, &mut signals)).await {
            Ok(host) => host,
            Err(error) => {
                server::stop_if_unused(context.output, project).await?;
                return Err(error);
            }
        };
        if host.is_up() {
            report(context, project, host.key(), false)?;
            context.output.note("Ctrl-C stops it");
        }
        drop(lock); // from here on `wattle down` may stop us, and others may join
        let cut = host.serve(&mut signals, context.output).await?;
        let cut = if cut == 0 { String::new() } else { format!("; {cut} calls were cut") };
        context.output.note(&format!("stopped{cut}"));
        Ok(Exit::Ok)
    }

    /// Starts it in this process.
    async fn start(
        &self,
        name: &Name,
        data_dir: DataDir,
        signals: &mut Signals,
    ) -> anyhow::Result<hosting::Running> {
        let Self { context, project, home, options } = self;
        let logbook = telemetry::init(&options.log, !context.global.quiet)?;
        let file = project.lattice()?;
        let nats = crate::session::nats(&context.global, &file, project)?;
        let given = Given { name: Some(name), ..Given::default() };
        let identity =
            Identity::establish(project, (home, &data_dir), file.name(), given, context.output)?;
        let place = (home, data_dir);
        hosting::start(project, place, identity, options, &nats, logbook, signals).await
    }
}

fn report(
    context: &Context,
    project: &Project,
    host: &HostKey,
    already: bool,
) -> anyhow::Result<()> {
    // It answers, which it may not have come to write down yet: whoever comes next is to find it ready.
    let file = project.change(|file| file.set_ready(host))?;
    let running = file.hosts.iter().find(|running| running.key == *host);
    let name = running.map(|running| running.name.to_string()).unwrap_or_default();
    let url = file.nats.as_ref().map(|nats| nats.url.clone()).unwrap_or_default();
    let json = json!({
        "lattice": file.name(),
        "host": {"key": host, "name": name, "pid": running.map(|running| running.process.pid)},
        "nats": {"url": url, "pid": file.nats_pid},
        "folder": project.dir(),
        "already-running": already,
    });
    context.output.answer(&json, || {
        let lattice = file.name();
        let state = if already { "is up already" } else { "is up" };
        format!(
            "lattice {lattice} {state}\n  host      {name} ({host})\n  nats      {url}\n  folder    {}\n\
             try:\n  wattle new actor hello\n  wattle start provider http-server\n  \
             wattle get inventory\n  wattle logs --follow\n  wattle down",
            project.dir().display()
        )
    });
    Ok(())
}
