//! The NATS of a project's hosts: one that `wattle up` is pointed to, or one that it starts and that ends with the last host.

use anyhow::Context as _;
use wattle_lattice::server::{NatsServer, ServerError, ServerOptions};

use crate::{
    args::Global,
    exit::Exit,
    output::Output,
    problem::Problem,
    project::{
        Project,
        file::create_folder,
        lattice_file::{LatticeFile, Nats},
    },
};

/// Makes sure that there is a NATS, and writes into `lattice.json` where. One that is started now outlives this process: hosts
/// that start later use it too. Whether one was started now.
pub(crate) async fn ensure(
    global: &Global,
    output: Output,
    project: &Project,
) -> anyhow::Result<bool> {
    let file = project.lattice()?;
    let own = NatsServer::attach(&project.nats_dir()).await?;
    let known = file.nats.clone().filter(|_| file.nats_pid.is_none());
    // Who says where our own server is means that one.
    let is_own = |nats: &Nats| own.as_ref().is_some_and(|server| server.url() == nats.url);
    if let Some(nats) = Nats::meant(global, known)?.filter(|nats| !is_own(nats)) {
        stays_where_it_is(project, &file, &nats)?;
        // A server that we started before, and that a crash left written down, is not where this lattice is.
        project.change(|file| (file.nats, file.nats_pid) = (Some(nats), None))?;
        return Ok(false);
    }
    let is_new = own.is_none();
    let server = match own {
        Some(server) => server,
        None => start(output, project).await?,
    };
    let (nats, pid) = (Nats::of(&server.options()), server.pid());
    server.leave();
    project.change(|file| (file.nats, file.nats_pid) = (Some(nats), Some(pid)))?;
    Ok(is_new)
}

/// Hosts of one project are on one lattice: where some run, the next one is not pointed elsewhere.
fn stays_where_it_is(project: &Project, file: &LatticeFile, nats: &Nats) -> anyhow::Result<()> {
    let (Some(host), Some(now)) = (file.live_hosts(project).next(), &file.nats) else {
        return Ok(());
    };
    if now.url == nats.url {
        return Ok(());
    }
    let what =
        format!("host {} of this project runs on {}, not on {}", host.name, now.url, nats.url);
    Err(Problem::new(Exit::Conflict, what).next("wattle down, or another folder with --dir").into())
}

async fn start(output: Output, project: &Project) -> anyhow::Result<NatsServer> {
    create_folder(&project.nats_dir())?;
    let step = output.step("starting nats-server");
    let options =
        ServerOptions { dir: project.nats_dir(), outlive: true, ..ServerOptions::default() };
    let server = NatsServer::start(options).await.map_err(|error| match error {
        ServerError::NotFound => Problem::new(Exit::NotFound, "there is no nats-server on this machine")
            .next("install it (apt install nats-server), set WATTLE_NATS_SERVER to it, or point to one: wattle up --nats-url URL"),
        other => Problem::new(Exit::Failed, other.to_string()),
    })?;
    step.done(&format!("{} at {} (pid {})", server.version(), server.url(), server.pid()));
    Ok(server)
}

/// Stops the server that `wattle up` started, unless a host of the project runs. What was stopped, if anything was. For whoever
/// holds the project's lock.
pub(crate) async fn stop_if_unused(
    output: Output,
    project: &Project,
) -> anyhow::Result<Option<String>> {
    if project.lattice()?.live_hosts(project).next().is_some() {
        return Ok(None);
    }
    let stopped = match NatsServer::attach(&project.nats_dir()).await? {
        None => None,
        Some(server) => {
            let what = format!("nats-server at {} (pid {})", server.url(), server.pid());
            let step = output.step(&format!("stopping {what}"));
            server.stop().await;
            step.done("stopped");
            Some(what)
        }
    };
    // NATS that we were pointed to, and did not start, is still where it is.
    let forget = |file: &mut LatticeFile| {
        if file.nats_pid.take().is_some() {
            file.nats = None;
        }
    };
    project.change(forget).context("lattice.json")?;
    Ok(stopped)
}

/// The same for a host that has just ended: the last one of the project stops the server.
pub(crate) async fn stop_after_last_host(output: Output, project: &Project) -> anyhow::Result<()> {
    loop {
        // Whoever has the lock starts or stops hosts, and sees to the server when that is done.
        let Ok(lock) = project.lock() else { return Ok(()) };
        stop_if_unused(output, project).await?;
        drop(lock);
        let file = project.lattice()?;
        let others: Vec<&str> = file.live_hosts(project).map(|host| host.name.as_str()).collect();
        match (file.nats_pid, others.as_slice()) {
            (None, _) => return Ok(()),
            // One that ended while we had the lock left the server to us.
            (Some(_), []) => {}
            (Some(pid), others) => {
                let others = others.join(", ");
                output.note(&format!("nats-server (pid {pid}) goes on for {others}"));
                return Ok(());
            }
        }
    }
}
