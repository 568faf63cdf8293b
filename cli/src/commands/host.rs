//! `wattle host`: a host in this process, until it is told to stop.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::Context;
use crate::{
    exit::Exit,
    hosting::{self, Given, HostOptions, Identity, Signals, server, telemetry},
    project::{Project, file, home::Home},
    session,
};

/// Run a host in the foreground, against a NATS that is there
///
/// On another device it makes its own key and prints the one command that admits it. It is its project's first host, of which
/// there is one: `wattle up` starts further ones beside it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle host    # in a project: its NATS, its account
  wattle host --nats-url nats://10.0.0.5:4222 --trust O… --token host.jwt --label room=kitchen")]
pub(crate) struct HostArgs {
    #[command(flatten)]
    options: HostOptions,
    /// An operator or account to trust; repeatable [default: the project's operator]
    #[arg(long, value_name = "KEY")]
    trust: Vec<String>,
    /// The token that admits this host (see `wattle claims sign host`)
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// Started by `wattle up -d`
    #[arg(long, hide = true)]
    detached: bool,
    /// Started by `wattle up -d`, as the further host that is called `--name`
    #[arg(long, hide = true, requires = "name")]
    further: bool,
}

pub(crate) async fn run(context: &Context, args: HostArgs) -> anyhow::Result<Exit> {
    if args.detached {
        // Away from the terminal: its Ctrl-C and its closing are not meant for us. Fails only if we lead a group already.
        let _ = rustix::process::setsid();
    }
    let mut signals = Signals::new()?;
    let logbook = telemetry::init(&args.options.log, true)?;
    let project = Project::find_or_create(&context.global, context.output)?;
    let lattice_file = project.lattice()?;
    let nats = session::nats(&context.global, &lattice_file, &project)?;
    let lattice = context.global.lattice.clone().unwrap_or_else(|| lattice_file.name());
    let home = match &args.options.name {
        Some(name) if args.further => Home::Further(name.clone()),
        _ => Home::First,
    };
    hosting::refuse_copy(&project).await?;
    let data_dir = hosting::claim(&project, &home).await?;
    let given = Given {
        name: args.options.name.as_ref(),
        token: args.token.as_deref().map(read_token).transpose()?,
        trust: &args.trust,
    };
    let identity =
        Identity::establish(&project, (&home, &data_dir), lattice, given, context.output)?;
    let place = (&home, data_dir);
    let start =
        hosting::start(&project, place, identity, &args.options, &nats, logbook, &mut signals);
    let host = match Box::pin(start).await {
        Ok(host) => host,
        Err(error) => {
            server::stop_after_last_host(context.output, &project).await?;
            return Err(error);
        }
    };
    host.serve(&mut signals, context.output).await?;
    Ok(Exit::Ok)
}

/// The token that admits a host.
pub(super) fn read_token(path: &Path) -> anyhow::Result<String> {
    file::read_small(path)?.with_context(|| format!("no file {}", path.display()))
}
