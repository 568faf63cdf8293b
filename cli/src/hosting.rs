//! Running a host in this process: who it is, what it is told, and how it ends. `wattle host` and `wattle up` do the same.

mod identity;
pub(crate) mod server;
mod signals;
pub(crate) mod telemetry;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use clap::Args;
use tracing::info;
use wattle_claims::{HostClaims, KeyPair, Right, Signed};
use wattle_core::{HostKey, Name, quantity};
use wattle_host::{DataDir, DataDirError, Host, HostConfig, LogBook};
use wattle_lattice::Lattice;
use wattle_wadm::agent::{Agent, AgentConfig};

use crate::{
    args::value,
    exit::Exit,
    output::Output,
    problem::Problem,
    project::{
        Project,
        home::Home,
        lattice_file::{LatticeFile, Nats, RunningHost},
        process::Process,
    },
};

pub(crate) use identity::{Given, Identity, machine_name};
pub(crate) use signals::{Signals, too_early};

/// How long the kernel may take to end a process that was killed: what it had open is open until then.
const LET_GO: Duration = Duration::from_secs(1);
/// How often a folder that is not free is tried meanwhile.
const CLAIM_EVERY: Duration = Duration::from_millis(20);

/// What a host is told on the command line.
#[derive(Clone, Debug, Args)]
pub(crate) struct HostOptions {
    /// The host's friendly name [default: the one it had, else the machine's name]
    #[arg(long, env = "WATTLE_HOST_NAME", hide_env_values = true)]
    pub(crate) name: Option<Name>,
    /// A label, for placing things; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = value::pair)]
    pub(crate) label: Vec<(String, String)>,
    /// Where secrets are read from: one file per secret
    #[arg(long, value_name = "FOLDER", env = "WATTLE_SECRETS_DIR", hide_env_values = true)]
    pub(crate) secrets_dir: Option<PathBuf>,
    /// How long calls under way may take when the host stops
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = quantity::duration)]
    pub(crate) grace: Duration,
    /// Threads that carry calls [default: one per core]
    #[arg(long)]
    pub(crate) lanes: Option<usize>,
    /// What is logged, by the host and its providers: a tracing filter
    #[arg(
        long,
        default_value = "info",
        value_name = "FILTER",
        env = "WATTLE_LOG",
        hide_env_values = true
    )]
    pub(crate) log: String,
}

impl HostOptions {
    /// The same options for a host in another process, but for its name, which is settled by then.
    pub(crate) fn as_arguments(&self) -> Vec<String> {
        let mut arguments =
            vec![format!("--grace={}ms", self.grace.as_millis()), format!("--log={}", self.log)];
        arguments.extend(self.label.iter().map(|(key, value)| format!("--label={key}={value}")));
        arguments.extend(self.lanes.iter().map(|lanes| format!("--lanes={lanes}")));
        let secrets = self.secrets_dir.iter();
        arguments.extend(secrets.map(|folder| format!("--secrets-dir={}", folder.display())));
        arguments
    }
}

/// A host in this process, and the wadm beside it, if the host's claims allow one.
pub(crate) struct Running {
    host: Host,
    wadm: Option<Agent>,
    project: Project,
    /// The signal that came before all ran that ran last.
    told: Option<&'static str>,
}

/// Takes the folder of one of the project's hosts for this process. A host that was killed just now is given the time to let go.
pub(crate) async fn claim(project: &Project, home: &Home) -> anyhow::Result<DataDir> {
    let until = Instant::now() + LET_GO;
    loop {
        match DataDir::claim(home.data(project)) {
            Err(DataDirError::Taken(_)) if Instant::now() < until => {
                tokio::time::sleep(CLAIM_EVERY).await;
            }
            Err(error @ DataDirError::Taken(_)) => {
                let problem = Problem::new(Exit::Conflict, error.to_string());
                return Err(problem.next("wattle up starts a further host beside it; --dir FOLDER gives one a project of its own").into());
            }
            claimed => return claimed.map_err(anyhow::Error::from),
        }
    }
}

/// A copy of a project has the original's keys: two hosts of one key would undo what the other does.
pub(crate) async fn refuse_copy(project: &Project) -> anyhow::Result<()> {
    let until = Instant::now() + LET_GO;
    loop {
        let file = project.lattice()?;
        let Some(host) = file.host_of_original(project) else { return Ok(()) };
        if Instant::now() >= until {
            let what = format!(
                "{} is a copy of the folder that host {} (pid {}) runs in",
                project.dir().display(),
                host.name,
                host.process.pid
            );
            let next = "stop that one first: wattle down, there; or begin anew with --dir FOLDER";
            return Err(Problem::new(Exit::Conflict, what).next(next).into());
        }
        // One that is about to end let go of its folder a moment before.
        tokio::time::sleep(CLAIM_EVERY).await;
    }
}

/// Starts a host; a signal ends that early, and then it only remains to [serve](Running::serve), which drains it. It stands in the
/// project's `lattice.json` from before it begins: what ran last starts first, which takes a while, and meanwhile `wattle down` is to
/// find it, and nobody to stop its NATS.
pub(crate) async fn start(
    project: &Project,
    (home, data_dir): (&Home, DataDir),
    identity: Identity,
    options: &HostOptions,
    nats: &Nats,
    logbook: Arc<LogBook>,
    signals: &mut Signals,
) -> anyhow::Result<Running> {
    let running = RunningHost {
        key: identity.key.public_key().context("the host's key")?,
        name: identity.name.clone(),
        further: Some(*home != Home::First),
        starting: true,
        process: Process::own(),
    };
    project.change(|file| file.add(running))?;
    let begun = async {
        let wadm = wadm(&identity, nats).await?;
        let client = format!("wattle-host {}", identity.name);
        let config = HostConfig {
            lattice: identity.lattice,
            name: identity.name,
            key: identity.key,
            token: identity.token,
            operators: identity.operators,
            accounts: identity.accounts,
            data_dir,
            nats: nats.options(&client)?,
            labels: options.label.iter().cloned().collect::<BTreeMap<_, _>>(),
            secrets_dir: options.secrets_dir.clone(),
            grace: options.grace,
            lanes: options.lanes,
            log: options.log.clone(),
            logbook,
        };
        let mut told = None;
        let until_told = Box::pin(async { told = Some(signals.next().await) });
        let host = Host::start(config, until_told).await.context("start the host")?;
        let mut running = Running { host, wadm: None, project: project.clone(), told };
        if running.is_up() {
            running.wadm = wadm.map(Agent::start).transpose().context("start wadm")?;
            project.change(|file| file.set_ready(running.key()))?;
        }
        Ok(running)
    };
    let begun: anyhow::Result<Running> = begun.await;
    if begun.is_err() {
        project.change(LatticeFile::remove_own)?;
    }
    begun
}

/// Starts a wadm alone.
pub(crate) async fn start_wadm(identity: &Identity, nats: &Nats) -> anyhow::Result<Agent> {
    match wadm(identity, nats).await? {
        Some(config) => Agent::start(config).context("start wadm"),
        None => {
            let host = identity.key.public();
            let what = format!("the token of {host} does not say that it may be wadm");
            let next = format!(
                "wattle claims sign host {host} --name {} --wadm --out host.jwt",
                identity.name
            );
            Err(Problem::new(Exit::Denied, what).next(next).into())
        }
    }
}

/// What a wadm is started with that may act; none where the host's claims do not say so.
async fn wadm(identity: &Identity, nats: &Nats) -> anyhow::Result<Option<AgentConfig>> {
    let claims = Signed::<HostClaims>::parse(&identity.token)?.peek()?;
    if !claims.body.rights.contains(&Right::Wadm) {
        return Ok(None);
    }
    let options = nats.options(&format!("wattle-wadm {}", identity.name))?;
    Ok(Some(AgentConfig {
        lattice: Lattice::join(identity.lattice.clone(), &options).await?,
        key: KeyPair::from_seed(&identity.key.seed()).context("the host's key")?,
        token: identity.token.clone(),
        operators: identity.operators.clone(),
        accounts: identity.accounts.clone(),
    }))
}

impl Running {
    pub(crate) fn key(&self) -> &HostKey {
        self.host.key()
    }

    /// Whether it runs all that it is to run; else it was told to stop before.
    pub(crate) const fn is_up(&self) -> bool {
        self.told.is_none()
    }

    /// Serves until a signal or a command says to stop, then drains. Returns the number of calls that were cut.
    pub(crate) async fn serve(self, signals: &mut Signals, output: Output) -> anyhow::Result<u32> {
        match self.told {
            Some(signal) => info!(signal, "stopping"),
            None => tokio::select! {
                signal = signals.next() => info!(signal, "stopping"),
                () = self.host.stop_requested() => info!("stopping: a user said so"),
            },
        }
        // Another one acts from now on: it has this host's work done elsewhere.
        if let Some(wadm) = self.wadm {
            wadm.stop().await;
        }
        let cut = self.host.drain().await.cut_calls;
        info!(cut_calls = cut, "stopped");
        self.project.change(LatticeFile::remove_own)?;
        server::stop_after_last_host(output, &self.project).await?;
        Ok(cut)
    }
}
