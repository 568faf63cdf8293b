//! `wattle down`: stop what `wattle up` started, and say what that was.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use wattle_core::{Name, quantity};

use super::Context;
use crate::{
    exit::Exit,
    hosting::server,
    output::Output,
    problem::Problem,
    project::{
        Project,
        home::Homes,
        lattice_file::{LatticeFile, RunningHost},
        process::Process,
    },
};

/// Beyond the grace period: the time for ending providers and writing state.
const STOP_MARGIN: Duration = Duration::from_secs(10);
/// A killed process is gone within this time, or the system is in trouble.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// Stop the hosts of this project, and the nats-server that `wattle up` started
///
/// Calls under way may finish. Keys, links, config and stored data stay: `wattle up` serves again what ran before. The nats-server
/// stays while a host runs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  wattle down\n  wattle down pi-2    # this one host")]
pub(crate) struct DownArgs {
    /// Only the host of this name
    name: Option<Name>,
    /// How long calls under way may take; the host must have been started with at least this
    #[arg(long, default_value = "30s", value_parser = quantity::duration)]
    grace: Duration,
}

pub(crate) async fn run(context: &Context, args: DownArgs) -> anyhow::Result<Exit> {
    let project = Project::require(&context.global)?;
    let _lock = project.lock()?;
    let mut file = project.lattice()?;
    if let Some(name) = &args.name {
        only(&project, &mut file, name)?;
    }
    let hosts: Vec<&RunningHost> = file.live_hosts(&project).collect();
    // All at once, so that it takes no longer than for one.
    hosts.iter().for_each(|host| host.process.terminate());
    let mut stopped = Vec::new();
    for host in hosts {
        stopped.push(wait_for(&host.name, &host.process, args.grace, context.output).await?);
    }
    // One that was killed could not say so itself.
    project.change(|file| file.hosts.retain(|host| host.process.is_alive()))?;
    stopped.extend(server::stop_if_unused(context.output, &project).await?);
    context.output.answer(&json!({"stopped": stopped}), || match stopped.as_slice() {
        [] => "nothing was running".to_owned(),
        stopped => format!("stopped {}", stopped.join(" and ")),
    });
    Ok(Exit::Ok)
}

/// Leaves the host of this name, if it runs; one that nobody knows is an error.
fn only(project: &Project, file: &mut LatticeFile, name: &Name) -> anyhow::Result<()> {
    file.hosts.retain(|host| host.name == *name);
    if file.hosts.is_empty() && !Homes::of(project)?.has(name) {
        let what = format!("no host of this project is called {name}");
        return Err(Problem::new(Exit::NotFound, what).next("wattle get hosts").into());
    }
    Ok(())
}

/// Waits until a host that was told to stop has, and says what it was.
pub(super) async fn wait_for(
    name: &Name,
    process: &Process,
    grace: Duration,
    output: Output,
) -> anyhow::Result<String> {
    let what = format!("host {name} (pid {})", process.pid);
    let step = output.step(&format!("stopping {what}"));
    if process.gone(grace + STOP_MARGIN).await {
        step.done("stopped");
        return Ok(what);
    }
    process.kill();
    anyhow::ensure!(process.gone(KILL_WAIT).await, "{what} does not end, not even killed");
    step.done("killed: it did not stop in time");
    Ok(format!(
        "{what}, killed because it did not stop within {} s",
        (grace + STOP_MARGIN).as_secs()
    ))
}
