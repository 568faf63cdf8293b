//! `wattle wadm`: what keeps applications as they were declared, in a process of its own, until it is told to stop.

use std::path::PathBuf;

use clap::Args;
use tracing::info;
use wattle_core::Name;

use super::{Context, host::read_token};
use crate::{
    exit::Exit,
    hosting::{self, Given, Identity, Signals, telemetry},
    project::{Project, home::Home},
    session,
};

/// Keep applications as they were declared, in a process that runs nothing else
///
/// Hosts that `wattle up` starts do this themselves; of all that may, one acts at a time. On another device it makes its own key
/// and prints the one command that admits it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle wadm    # in a project: its NATS, its account
  wattle wadm --nats-url nats://10.0.0.5:4222 --trust O… --token host.jwt")]
pub(crate) struct WadmArgs {
    /// What it is called [default: the name that its token says, else wadm]
    #[arg(long)]
    name: Option<Name>,
    /// An operator or account to trust; repeatable [default: the project's operator]
    #[arg(long, value_name = "KEY")]
    trust: Vec<String>,
    /// The token that admits it (see `wattle claims sign host --wadm`)
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// What is logged: a tracing filter
    #[arg(
        long,
        default_value = "info",
        value_name = "FILTER",
        env = "WATTLE_LOG",
        hide_env_values = true
    )]
    log: String,
}

pub(crate) async fn run(context: &Context, args: WadmArgs) -> anyhow::Result<Exit> {
    let mut signals = Signals::new()?;
    telemetry::init(&args.log, true)?;
    let project = Project::find_or_create(&context.global, context.output)?;
    let lattice_file = project.lattice()?;
    let nats = session::nats(&context.global, &lattice_file, &project)?;
    let lattice = context.global.lattice.clone().unwrap_or_else(|| lattice_file.name());
    let home = Home::Wadm;
    let data_dir = hosting::claim(&project, &home).await?;
    let given = Given {
        name: args.name.as_ref(),
        token: args.token.as_deref().map(read_token).transpose()?,
        trust: &args.trust,
    };
    let identity =
        Identity::establish(&project, (&home, &data_dir), lattice, given, context.output)?;
    let agent = hosting::start_wadm(&identity, &nats).await?;
    info!(key = %identity.key.public(), name = %identity.name, "wadm is ready");
    let signal = signals.next().await;
    info!(signal, "stopping");
    agent.stop().await;
    Ok(Exit::Ok)
}
