//! A host's life: it starts from what it keeps, joins its lattice when it can, and leaves after its calls are done.

mod labels;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use futures::future::{BoxFuture, join_all};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};
use tracing::{error, info};
use wattle_claims::{HostClaims, RevokedSet, Signed, Trust, Verified};
use wattle_core::{HostKey, event::Event};
use wattle_lattice::{ControlServer, Lattice};

use crate::{
    actors::ActorRuntime,
    artifacts::ArtifactCache,
    builtin::BuiltIns,
    clock::Clock,
    config::HostConfig,
    control::{Control, USER_CALLS_MAX, drain},
    lanes::Lanes,
    lease::Leases,
    links::Links,
    peers, placement, provider_leases,
    providers::{Provider, Want},
    records::RecordBook,
    registry::{Registry, RunningFile, Wanted},
    reports::{EVENTS_PENDING_MAX, Reports},
    router::Router,
    settings::Secrets,
    upkeep,
};

/// Artifacts kept on this host's disk, in bytes; what runs is never evicted.
const ARTIFACT_CACHE_BYTES_MAX: u64 = 4 << 30;

/// How long other hosts have to end their sessions with a host that stops; their calls were finished before.
const LEAVE_WAIT: Duration = Duration::from_secs(1);

/// A running host. Dropping it without [`Host::drain`] cuts what is under way.
pub struct Host {
    control: Arc<Control>,
    stop: watch::Receiver<Option<Duration>>,
    tasks: JoinSet<()>,
    commands: ControlServer,
}

/// Why a host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or folder of the host's own cannot be used.
    #[error("{what}: {source}")]
    Files {
        /// What was tried, and where.
        what: String,
        /// What went wrong.
        source: io::Error,
    },
    /// The host's own claims do not hold.
    #[error("the host's claims do not hold: {0}")]
    Claims(#[from] wattle_claims::TokenError),
    /// The host's claims are about another key than it has.
    #[error("the host's claims are about {claimed}, but its key is {key}")]
    OtherKey {
        /// The key in the claims.
        claimed: String,
        /// The host's key.
        key: String,
    },
    /// The options for NATS make no sense.
    #[error(transparent)]
    Lattice(#[from] wattle_lattice::ConnectError),
    /// Other hosts cannot be listened to.
    #[error(transparent)]
    Subscribe(#[from] wattle_lattice::SubscribeError),
    /// The engine for actors cannot be set up.
    #[error("the engine for actors: {0}")]
    Engine(io::Error),
}

/// What was cut when a host stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Calls that did not finish within the grace period.
    pub cut_calls: u32,
}

impl Host {
    /// Starts a host: when this is over it serves what it last ran, with or without its lattice. Unless it is `told` to stop meanwhile:
    /// then it starts no more of that, and is to be drained, since what runs already may have calls under way.
    // Boxed, as is `drain`: what an async function does is compiled where it is awaited, and a host is to be compiled here, once and
    // as this crate is optimised.
    pub fn start<'a>(
        config: HostConfig,
        told: BoxFuture<'a, ()>,
    ) -> BoxFuture<'a, Result<Self, StartError>> {
        Box::pin(Self::begin(config, told))
    }

    async fn begin(config: HostConfig, told: BoxFuture<'_, ()>) -> Result<Self, StartError> {
        let (control, wanted, events, lease_wants) = assemble(config).await?;
        let tasks = upkeep::start(&control, events, lease_wants);
        tokio::select! {
            () = run_again(&control, wanted) => {}
            () = told => info!("told to stop before all runs that ran last"),
        }
        control.router.built_ins().join(&control);
        let sessions = peers::join(&control).await?;
        control.router.elsewhere().join(sessions);
        let commands = control.lattice.serve_control(control.host.clone(), {
            let control = control.clone();
            move |token| {
                let control = control.clone();
                async move { control.handle(token).await }
            }
        });
        control.reports.event(Event::HostStarted { name: control.name.clone() });
        info!(host = %control.host, name = %control.name, lattice = %control.lattice_name, "host started");
        let stop = control.stop.subscribe();
        Ok(Self { control, stop, tasks, commands })
    }

    /// The host's key.
    pub fn key(&self) -> &HostKey {
        &self.control.host
    }

    /// Waits until a user commands the host to stop.
    pub async fn stop_requested(&self) {
        let mut stop = self.stop.clone();
        let _: Result<_, _> = stop.wait_for(Option::is_some).await;
    }

    /// Takes no more calls, finishes those under way within the grace period, and stops everything. What ran starts again
    /// when the host does.
    pub fn drain(self) -> BoxFuture<'static, Drained> {
        Box::pin(self.end())
    }

    async fn end(self) -> Drained {
        let Self { control, stop, mut tasks, commands } = self;
        let grace = stop.borrow().unwrap_or(control.grace);
        drop(commands);
        // Other hosts are told to call others; what they have under way here is finished as all else.
        control.router.elsewhere().prefer(true);
        placement::tell(&control).await;
        // Those who take calls from outside first: what they have taken can still be answered.
        let (sources, others) = providers(&control);
        join_all(sources.iter().map(|provider| provider.stop(grace))).await;
        let actors = control.registry.look(|view| {
            view.actors.values().map(|running| running.actor.clone()).collect::<Vec<_>>()
        });
        let cut = join_all(actors.iter().map(|actor| drain(actor, grace))).await;
        let cut_calls = cut.iter().sum();
        join_all(others.iter().map(|provider| provider.stop(grace))).await;
        provider_leases::laid_down(&control).await;
        if let Some(sessions) = control.router.elsewhere().leave() {
            sessions.leave(LEAVE_WAIT).await;
        }
        if *control.lattice.connected().borrow() {
            placement::tell_that_it_left(&control).await;
        }
        control.reports.event(Event::HostStopped { cut_calls });
        tokio::task::yield_now().await;
        control.lattice.flush(Duration::from_secs(1)).await;
        tasks.shutdown().await;
        if let Err(error) = control.clock.keep() {
            error!(%error, "the time cannot be kept");
        }
        control.lanes.shutdown();
        info!(cut_calls, "host stopped");
        Drained { cut_calls }
    }
}

/// The providers that call actors, and the others.
fn providers(control: &Control) -> (Vec<Provider>, Vec<Provider>) {
    control.registry.look(|view| {
        let (sources, others): (Vec<_>, Vec<_>) =
            view.providers.values().partition(|running| !running.claims.body.imports.is_empty());
        let handles = |running: Vec<&crate::registry::RunningProvider>| {
            running.into_iter().map(|running| running.provider.clone()).collect()
        };
        (handles(sources), handles(others))
    })
}

type Assembled = (Arc<Control>, Vec<Wanted>, mpsc::Receiver<Event>, mpsc::Receiver<Want>);

/// Puts the parts together; nothing runs yet.
async fn assemble(config: HostConfig) -> Result<Assembled, StartError> {
    let state = folder(&config.data_dir.join("state"))?;
    let cache = folder(&config.data_dir.join("cache"))?;
    let seed = config.key.seed();
    let mut trust = Trust {
        operators: config.operators,
        accounts: config.accounts,
        lattice: config.lattice.clone(),
        revocations: RevokedSet::default(),
    };
    let (host, clock) =
        own_claims(&config.token, &config.key.public(), &trust, state.join("clock"))?;
    let key: HostKey = host.subject.parse().expect("a host's claims are about a host's key");
    let (send, events) = mpsc::channel(EVENTS_PENDING_MAX);
    let (lease_wants, wants) = mpsc::channel(provider_leases::WANTS_MAX);
    let reports = Reports::new(send);
    let secrets = Secrets::new(config.secrets_dir);
    let built_ins = BuiltIns::new(secrets.clone(), reports.clone());
    let router = Router::new(key.clone(), clock.clone(), reports.clone(), built_ins);
    let records = RecordBook::open(state.join("records"), &mut trust, clock.now())
        .map_err(files("records"))?;
    let (registry, wanted) = Registry::open(
        host,
        trust,
        records,
        secrets,
        RunningFile::new(state.join("running"), &seed),
        router.clone(),
        clock.clone(),
    )
    .map_err(files("what ran last"))?;
    let runtime = ActorRuntime::new(cache.join("compiled"), &seed, config.logbook.clone())
        .map_err(StartError::Engine)?;
    let count =
        config.lanes.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let control = Control {
        host: key,
        key: config.key,
        token: config.token,
        name: config.name,
        labels: labels::with_built_in(config.labels),
        log_filter: config.log,
        grace: config.grace,
        started: Instant::now(),
        leases: Leases::default(),
        provider_leases: Default::default(),
        lease_wants,
        links: Links::start(registry.clone(), router.clone()),
        seen: Control::seen_commands(state.join("commands"), clock.now())
            .map_err(files("given commands"))?,
        clock,
        registry,
        router,
        runtime,
        lanes: Arc::new(Lanes::start(count).map_err(files("threads"))?),
        artifacts: ArtifactCache::open(cache.join("artifacts"), ARTIFACT_CACHE_BYTES_MAX)
            .map_err(files("artifact cache"))?,
        lattice: Lattice::join(config.lattice.clone(), &config.nats).await?,
        lattice_name: config.lattice,
        data_dir: config.data_dir,
        reports,
        logbook: config.logbook,
        stop: watch::Sender::new(None),
        serials: AtomicU64::new(0),
        user_calls: Semaphore::new(USER_CALLS_MAX),
        owed: Default::default(),
    };
    Ok((Arc::new(control), wanted, events, wants))
}

fn own_claims(
    token: &str,
    key: &str,
    trust: &Trust,
    clock: PathBuf,
) -> Result<(Verified<HostClaims>, Arc<Clock>), StartError> {
    let signed = Signed::<HostClaims>::parse(token)?;
    let clock = Clock::open(clock, signed.peek()?.issued_at).map_err(files("clock"))?;
    let claims = signed.verify(trust, clock.now())?;
    if claims.subject == key {
        return Ok((claims, Arc::new(clock)));
    }
    Err(StartError::OtherKey { claimed: claims.subject.clone(), key: key.to_owned() })
}

/// Starts what the host ran last. What cannot be started now is said, and stays wanted.
async fn run_again(control: &Arc<Control>, wanted: Vec<Wanted>) {
    // Together: a provider that does not get ready keeps no actor from answering.
    join_all(wanted.iter().map(|wanted| async move {
        let started = match wanted {
            Wanted::Actor(start) => control.start_actor(start, true).await,
            Wanted::Provider(start) => control.start_provider(start, true).await,
        };
        if let Err(failure) = started {
            error!(?wanted, %failure, "what ran before cannot be started again");
        }
    }))
    .await;
}

fn folder(path: &Path) -> Result<PathBuf, StartError> {
    fs::create_dir_all(path).map_err(files(&path.display().to_string()))?;
    Ok(path.to_owned())
}

fn files(what: &str) -> impl FnOnce(io::Error) -> StartError {
    let what = what.to_owned();
    move |source| StartError::Files { what, source }
}
