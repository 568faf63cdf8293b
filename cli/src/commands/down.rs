//! `wattle down`: stop what `wattle up` started, and say what that was.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use wattle_lattice::server::NatsServer;

use super::Context;
use crate::{
    args::value,
    exit::Exit,
    output::Output,
    project::{Project, lattice_file::RunningHost},
};

/// Beyond the grace period: the time for ending providers and writing state.
const STOP_MARGIN: Duration = Duration::from_secs(10);
/// A killed process is gone within this time, or the system is in trouble.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// Stop the host and the nats-server that `wattle up` started
///
/// Calls under way may finish. Keys, links, config and stored data stay: `wattle up` serves again what ran before.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  wattle down")]
pub(crate) struct DownArgs {
    /// How long calls under way may take; the host must have been started with at least this
    #[arg(long, default_value = "30s", value_parser = value::duration)]
    grace: Duration,
}

pub(crate) async fn run(context: &Context, args: DownArgs) -> anyhow::Result<Exit> {
    let project = Project::require(&context.global)?;
    let _lock = project.lock()?;
    let mut file = project.lattice()?;
    let host = match file.live_host() {
        Some(host) => Some(stop_host(host, args.grace, context.output).await?),
        None => None,
    };
    let nats = match NatsServer::attach(&project.nats_dir()).await? {
        Some(server) => Some(stop_nats(server, context.output).await),
        None => None,
    };
    // NATS that we were pointed to, and did not start, is still where it is.
    if file.nats_pid.take().is_some() {
        file.nats = None;
    }
    file.host = None;
    project.save(&file)?;
    let stopped: Vec<String> = host.iter().chain(&nats).cloned().collect();
    context.output.answer(&json!({"stopped": stopped}), || match stopped.as_slice() {
        [] => "nothing was running".to_owned(),
        stopped => format!("stopped {}", stopped.join(" and ")),
    });
    Ok(Exit::Ok)
}

async fn stop_host(host: &RunningHost, grace: Duration, output: Output) -> anyhow::Result<String> {
    let what = format!("host {} (pid {})", host.name, host.process.pid);
    let step = output.step(&format!("stopping {what}"));
    host.process.terminate();
    if host.process.gone(grace + STOP_MARGIN).await {
        step.done("stopped");
        return Ok(what);
    }
    host.process.kill();
    anyhow::ensure!(host.process.gone(KILL_WAIT).await, "{what} does not end, not even killed");
    step.done("killed: it did not stop in time");
    Ok(format!(
        "{what}, killed because it did not stop within {} s",
        (grace + STOP_MARGIN).as_secs()
    ))
}

async fn stop_nats(server: NatsServer, output: Output) -> String {
    let what = format!("nats-server at {} (pid {})", server.url(), server.pid());
    let step = output.step(&format!("stopping {what}"));
    server.stop().await;
    step.done("stopped");
    what
}
