//! One process's life: everything that belongs to it, from its start to its end.

use std::{future::Future, io, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    net::UnixStream,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout},
};
use wattle_core::{
    CallError, EntityId, codec,
    provider::{Start, ToHost, ToProvider},
};
use wattle_wire::{Closed, Connection, Handler, Limits, Reply, Request};

use super::{
    Calls, ProviderSpec, Want,
    ending::Ending,
    leases::Leases,
    log::LogReader,
    mailbox::Mailbox,
    process::{self, Exit, Process, SpawnError},
    pulse,
    seat::Serving,
};
use crate::{lanes::Lanes, logbook::LogBook};

/// Bytes of one control message of a provider.
const SAID_LEN_MAX: usize = 64 * 1024;

/// Control messages of one process that make no sense: a newer SDK may say what we do not know, a broken one goes on and on.
const STRANGE_MAX: u32 = 100;

/// A process that closed its socket, or said that it cannot start, gets so long to end by itself: its exit status tells more.
const EXIT_PATIENCE: Duration = Duration::from_millis(200);

/// A stopped process gets so long to end on the end of its socket, and then again on SIGTERM.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// How long the connections of a dead process may take to read what it left. They end at once, unless some other process holds
/// the sockets.
const LAST_WORDS_MAX: Duration = Duration::from_millis(200);

/// A process, its connections, and who reads its log.
pub(super) struct Life {
    process: Process,
    serving: Arc<Serving>,
    drivers: JoinSet<(usize, Closed)>,
    mailbox: Arc<Mailbox>,
    log: LogReader,
    pub(super) leases: Leases,
    frozen: Pin<Box<dyn Future<Output = Duration> + Send>>,
    strange: u32,
    pub(super) phase: Phase,
}

/// How far it got.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// It has to say that it is ready.
    Starting { until: Instant },
    /// It has to answer to the links that it is told of; then, or at this time, calls go to it.
    Linking { until: Instant },
    /// Calls go to it.
    Serving { since: Instant },
}

/// What one hears of it.
#[derive(Debug)]
pub(super) enum Heard {
    Said(Bytes),
    Flooded,
    Exited,
    LaneEnded { lane: usize, why: Closed },
    Frozen { silent_for: Duration },
}

/// What is left of it.
#[derive(Debug, Default)]
pub(super) struct Remains {
    /// How its process ended, if there was one.
    pub(super) exit: Option<Exit>,
    pub(super) stderr: Vec<String>,
    /// Why it cannot run, if that is the last that it said.
    pub(super) reason: Option<String>,
}

impl Life {
    /// Executes the provider and tells it how it is started. Called on a lane.
    pub(super) fn start<C: Calls>(
        spec: &ProviderSpec,
        id: &Arc<EntityId>,
        lanes: &Lanes,
        calls: &Arc<C>,
        lease_wants: &mpsc::Sender<Want>,
        book: &Arc<LogBook>,
    ) -> Result<Self, SpawnError> {
        let spawned = process::spawn(spec, lanes.count())?;
        let log = LogReader::start(spawned.log, spec.id.clone(), book.clone())
            .map_err(SpawnError::Prepare)?;
        let mailbox = Arc::new(Mailbox::default());
        let door = Door { calls: calls.clone(), id: id.clone(), mailbox: mailbox.clone() };
        let (serving, drivers) =
            connect(spawned.sockets, lanes, &Arc::new(door)).map_err(SpawnError::Prepare)?;
        let leases = Leases::new(serving.connections()[0].clone(), lease_wants.clone());
        let life = Self {
            process: spawned.process,
            serving: Arc::new(serving),
            drivers,
            mailbox,
            log,
            leases,
            frozen: Box::pin(std::future::pending()),
            strange: 0,
            phase: Phase::Starting { until: Instant::now() + spec.timings.ready_max },
        };
        life.say(&ToProvider::Start(Start {
            id: spec.id.clone(),
            lattice: spec.lattice.clone(),
            config: spec.config.clone(),
            log: spec.log.clone(),
        }));
        Ok(life)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn serving(&self) -> &Arc<Serving> {
        &self.serving
    }

    /// How long calls went to it, if ever.
    pub(super) fn served(&self) -> Option<Duration> {
        match self.phase {
            Phase::Serving { since } => Some(since.elapsed()),
            Phase::Starting { .. } | Phase::Linking { .. } => None,
        }
    }

    /// Tells it something. If its socket is gone, that is heard in another way.
    pub(super) fn say(&self, message: &ToProvider) {
        let first = &self.serving.connections()[0];
        let _closed = first.control(codec::encode(message));
    }

    /// From now on it has to answer pings.
    pub(super) fn feel_its_pulse(&mut self, every: Duration, silence_max: Duration) {
        let connections = self.serving.connections().to_vec();
        self.frozen = Box::pin(pulse::until_one_is_frozen(connections, every, silence_max));
    }

    /// Waits for the next that is heard of it.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Heard {
        tokio::select! {
            biased; // what it said comes before its end
            said = self.mailbox.next() => said.map_or(Heard::Flooded, Heard::Said),
            Some(ended) = self.drivers.join_next() => {
                let (lane, why) = ended.unwrap_or((0, Closed::Here));
                Heard::LaneEnded { lane, why }
            }
            () = self.process.exited() => Heard::Exited,
            silent_for = &mut self.frozen => Heard::Frozen { silent_for },
        }
    }

    /// Whether what it says made no sense too often; said whenever it makes none.
    pub(super) fn babbles(&mut self) -> bool {
        self.strange += 1;
        self.strange > STRANGE_MAX
    }

    /// Ends the process, unless that was its own doing, and everything that belongs to it.
    pub(super) async fn end(self, ending: &Ending) -> Remains {
        let Self { process, serving, mut drivers, mailbox, log, leases, .. } = self;
        let patience = match ending {
            Ending::LaneEnded { why: Closed::There, .. } | Ending::Failed { .. } => EXIT_PATIENCE,
            Ending::Stopped => {
                ask_to_end(&process, &serving).await;
                STOP_PATIENCE
            }
            _ => Duration::ZERO,
        };
        let exit = Some(process.end(patience).await);
        drop(leases); // another host may have them: nothing is done under them here any more
        let all_read = async { while drivers.join_next().await.is_some() {} };
        let _held_open = timeout(LAST_WORDS_MAX, all_read).await;
        drivers.shutdown().await;
        let stderr = log.finish().await;
        let last_words = std::iter::from_fn(|| mailbox.take().ok().flatten());
        let reason = last_words.filter_map(|said| understood(&said)).find_map(|said| match said {
            ToHost::Failed { reason } => Some(reason),
            _ => None,
        });
        Remains { exit, stderr, reason }
    }
}

async fn ask_to_end(process: &Process, serving: &Serving) {
    serving.connections().iter().for_each(Connection::close);
    if timeout(STOP_PATIENCE, process.exited()).await.is_err() {
        process.terminate();
    }
}

/// A control message from a provider, if it is one.
pub(super) fn understood(said: &[u8]) -> Option<ToHost> {
    codec::decode(said, SAID_LEN_MAX)
        .inspect_err(|error| tracing::debug!(%error, "a provider's control message"))
        .ok()
}

type Drivers = JoinSet<(usize, Closed)>;

/// Puts each socket onto its lane.
fn connect<C: Calls>(
    sockets: Vec<std::os::unix::net::UnixStream>,
    lanes: &Lanes,
    door: &Arc<Door<C>>,
) -> io::Result<(Serving, Drivers)> {
    let mut drivers = JoinSet::new();
    let connect = |(lane, socket): (usize, std::os::unix::net::UnixStream)| {
        socket.set_nonblocking(true)?;
        let handle = lanes.handle(lane);
        let socket = {
            let _lane = handle.enter();
            UnixStream::from_std(socket)?
        };
        let (connection, driver) = Connection::new(socket, Limits::default(), door.clone());
        drivers.spawn_on(async move { (lane, driver.await) }, handle);
        Ok(connection)
    };
    let connections: Vec<_> =
        sockets.into_iter().enumerate().map(connect).collect::<io::Result<_>>()?;
    Ok((Serving::new(connections), drivers))
}

/// Where a provider's calls and messages come in.
struct Door<C> {
    calls: Arc<C>,
    id: Arc<EntityId>,
    mailbox: Arc<Mailbox>,
}

impl<C: Calls> Handler for Door<C> {
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        self.calls.call(&self.id, request)
    }

    fn control(&self, message: Bytes) {
        self.mailbox.put(&message);
    }
}
