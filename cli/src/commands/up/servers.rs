//! The NATS that `wattle up` uses: one that it is pointed to, or one that it starts.

use anyhow::Context as _;
use wattle_lattice::server::{NatsServer, ServerError, ServerOptions};

use crate::{
    commands::Context,
    exit::Exit,
    problem::Problem,
    project::{
        Project,
        lattice_file::{LatticeFile, Nats},
    },
};

/// Whose NATS it is.
pub(super) enum Server {
    /// Somebody else's: not ours to stop.
    Given,
    /// Ours: started now, or by an `up` before us.
    Own(Box<NatsServer>),
}

/// Makes sure that there is a NATS, and writes into `lattice.json` where. One that is started now outlives this process or not.
pub(super) async fn ensure(
    context: &Context,
    project: &Project,
    file: &mut LatticeFile,
    outlive: bool,
) -> anyhow::Result<Server> {
    let given = match &context.global.nats_url {
        Some(url) => Some(Nats::new(url, context.global.creds.clone())),
        None if file.nats_pid.is_none() => file.nats.clone(),
        None => None,
    };
    if let Some(nats) = given {
        file.nats = Some(nats);
        project.save(file)?;
        return Ok(Server::Given);
    }
    let server = match NatsServer::attach(&project.nats_dir()).await? {
        Some(server) => server,
        None => start(context, project, outlive).await?,
    };
    file.nats = Some(Nats::of(&server.options()));
    file.nats_pid = Some(server.pid());
    project.save(file)?;
    Ok(Server::Own(Box::new(server)))
}

async fn start(context: &Context, project: &Project, outlive: bool) -> anyhow::Result<NatsServer> {
    crate::project::file::create_folder(&project.nats_dir())?;
    let step = context.output.step("starting nats-server");
    let options = ServerOptions { dir: project.nats_dir(), outlive, ..ServerOptions::default() };
    let server = NatsServer::start(options).await.map_err(|error| match error {
        ServerError::NotFound => Problem::new(Exit::NotFound, "there is no nats-server on this machine")
            .next("install it (apt install nats-server), set WATTLE_NATS_SERVER to it, or point to one: wattle up --nats-url URL"),
        other => Problem::new(Exit::Failed, other.to_string()),
    })?;
    step.done(&format!("{} at {} (pid {})", server.version(), server.url(), server.pid()));
    Ok(server)
}

impl Server {
    /// Leaves it running when this process ends.
    pub(super) fn leave(self) {
        if let Self::Own(server) = self {
            server.leave();
        }
    }

    /// Stops it, if it is ours.
    pub(super) async fn stop(self, context: &Context, project: &Project) -> anyhow::Result<()> {
        let Self::Own(server) = self else { return Ok(()) };
        let step = context.output.step("stopping nats-server");
        server.stop().await;
        step.done("stopped");
        let mut file = project.lattice()?;
        (file.nats, file.nats_pid) = (None, None);
        project.save(&file).context("lattice.json")
    }
}
