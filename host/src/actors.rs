//! Actors: signed components, compiled, linked once, and run in a fresh instance per call.

mod background;
mod bridge;
mod compiled;
mod deadline;
mod engine;
mod epoch;
mod gate;
mod http;
mod imports;
mod instance;
mod limits;
mod messaging;
mod misfit;
mod needs;
mod stdio;
mod streams;
mod watching;

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Semaphore};
use tracing::warn;
use wasmtime::component::{InstancePre, Linker};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wattle_core::{
    CallError, Digest, EntityId, ErrorKind, Interface,
    control::{ActorLimits, Scale},
    entity::Party,
    link::Settings,
};
use wattle_wire::{Reply, Request};

use self::{
    background::Background, compiled::Compiler, engine::ActorEngine, epoch::Epochs,
    gate::QUEUE_MAX_DEFAULT,
};
pub(crate) use self::{
    compiled::CompileError,
    deadline::passed as deadline_passed,
    gate::{Gate, Pass},
    instance::{CallContext, Instance},
    limits::check as check_limits,
    needs::Need,
};
use crate::{logbook::LogBook, router::Router};

/// What all actors of a host share: the engine, what it links, and the compiler.
pub(crate) struct ActorRuntime {
    /// Calls at once of all actors together.
    pub(crate) room: u32,
    compiler: Arc<Compiler>,
    epochs: Epochs,
    linker: Linker<Instance>,
    /// Instances at once, of all actors: the pool has no more.
    instances: Arc<Semaphore>,
    /// Of these, how many one actor may have.
    instances_of_one_max: u16,
    background: Background,
    logbook: Arc<LogBook>,
}

/// What an actor is made from, after its claims were verified.
pub(crate) struct ActorSpec {
    pub(crate) party: Party,
    pub(crate) artifact: Digest,
    pub(crate) name: String,
    pub(crate) imports: Vec<Interface>,
    pub(crate) exports: Vec<Interface>,
    pub(crate) scale: Scale,
    pub(crate) limits: ActorLimits,
    pub(crate) config: Settings,
    /// The component, without its claims.
    pub(crate) component: Vec<u8>,
}

/// An actor that takes calls.
pub(crate) struct Actor {
    pub(crate) id: EntityId,
    pub(crate) party: Party,
    pub(crate) artifact: Digest,
    pub(crate) name: String,
    pub(crate) imports: Vec<Interface>,
    pub(crate) exports: Vec<Interface>,
    pub(crate) config: ArcSwap<Settings>,
    pub(crate) compiled_from_cache: bool,
    pub(crate) needs: Vec<Need>,
    pub(crate) gate: Arc<Gate>,
    deadline: Duration,
    memory_bytes: usize,
    instances: Arc<Semaphore>,
    /// Of the host's instances, what one of this actor takes.
    places: u32,
    epochs: Epochs,
    background: Handle,
    pre: InstancePre<Instance>,
    http: Option<ProxyPre<Instance>>,
    messages: Option<messaging::Handler>,
    watcher: Option<watching::Watcher>,
    bridged: bridge::Exports,
    freight: bridge::Freight,
    releases: bridge::Releases,
    prepared: imports::PreparedTokens,
    calls: AtomicU64,
    failures: Mutex<BTreeMap<&'static str, u64>>,
    logbook: Arc<LogBook>,
}

/// Why an actor cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActorError {
    /// Its bytes are no component that this engine compiles.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It imports what this host does not offer, or exports what it says it does in another shape.
    #[error("cannot be linked: {0}")]
    Link(String),
    /// Its limits are past what any actor is given.
    #[error("asks for {0}")]
    TooMuch(String),
}

impl ActorRuntime {
    /// The runtime of one host. `cache_dir` keeps compiled code, tagged with a key from `host_seed`.
    pub(crate) fn new(
        cache_dir: PathBuf,
        host_seed: &str,
        logbook: Arc<LogBook>,
    ) -> io::Result<Self> {
        let ActorEngine { engine, instances_max } = ActorEngine::new().map_err(io::Error::other)?;
        let epochs = Epochs::start(&engine)?;
        let linker = imports::linker(&engine).map_err(io::Error::other)?;
        let compiler = Arc::new(Compiler::new(engine, cache_dir, host_seed)?);
        // One actor that spins in all its instances leaves as many to the others.
        let instances_of_one_max = u16::try_from(instances_max / 2).unwrap_or(u16::MAX);
        let instances = Arc::new(Semaphore::new(instances_max));
        // Half of the cores for those that compute; the other half is always there for those that answer.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let background = Background::start(cores.div_ceil(2))?;
        let room = u32::try_from(instances_max).unwrap_or(u32::MAX);
        Ok(Self {
            room,
            compiler,
            epochs,
            linker,
            instances,
            instances_of_one_max,
            background,
            logbook,
        })
    }

    /// Compiles (or loads) and links an actor.
    pub(crate) async fn prepare(&self, spec: ActorSpec) -> Result<Actor, ActorError> {
        let (memory_bytes, deadline) =
            (limits::memory_bytes(&spec.limits), limits::deadline(&spec.limits));
        if let Err(error) = limits::check(&spec.limits) {
            warn!(actor = %spec.party.id, %error, "an actor has less than its limits say");
        }
        let compiled = self.compiler.compile(spec.artifact, spec.component).await?;
        let bridging = bridge::link(&self.linker, &compiled.component)?;
        let pre = bridging
            .as_ref()
            .unwrap_or(&self.linker)
            .instantiate_pre(&compiled.component)
            .map_err(|error| ActorError::Link(misfit::why(&error)))?;
        let answers_http =
            spec.exports.iter().any(|export| export.as_str() == wattle_http::HANDLE.interface);
        let http = answers_http
            .then(|| ProxyPre::new(pre.clone()))
            .transpose()
            .map_err(|error| ActorError::Link(format!("{error:#}")))?;
        let handles_messages =
            spec.exports.iter().any(|export| export.as_str() == wattle_messaging::HANDLER);
        let messages = handles_messages
            .then(|| messaging::Handler::new(pre.clone()))
            .transpose()
            .map_err(|error| ActorError::Link(format!("{error:#}")))?;
        let watches = spec.exports.iter().any(|export| export.as_str() == wattle_keyvalue::WATCHER);
        let watcher = watches
            .then(|| watching::Watcher::new(pre.clone()))
            .transpose()
            .map_err(|error| ActorError::Link(format!("{error:#}")))?;
        let bridged = bridge::Exports::new(&compiled.component, &spec.exports)?;
        // Whatever it is made of, it gets a place: nobody waits for more than there are.
        let at_once_max = u32::from(self.instances_of_one_max);
        let places = engine::places_of(&compiled.component).min(at_once_max);
        Ok(Actor {
            id: spec.party.id.clone(),
            party: spec.party,
            artifact: spec.artifact,
            name: spec.name,
            imports: spec.imports,
            exports: spec.exports,
            config: ArcSwap::from_pointee(spec.config),
            compiled_from_cache: compiled.from_cache,
            needs: needs::of(&compiled.component),
            gate: Gate::new(
                spec.scale,
                u16::try_from(at_once_max / places).unwrap_or(u16::MAX),
                spec.limits.queue.unwrap_or(QUEUE_MAX_DEFAULT),
            ),
            deadline,
            memory_bytes,
            instances: self.instances.clone(),
            places,
            epochs: self.epochs.clone(),
            background: self.background.handle(),
            pre,
            http,
            messages,
            watcher,
            bridged,
            freight: bridge::Freight::default(),
            releases: bridge::Releases::default(),
            prepared: imports::PreparedTokens::default(),
            calls: AtomicU64::new(0),
            failures: Mutex::default(),
            logbook: self.logbook.clone(),
        })
    }
}

impl Actor {
    /// Answers a call that the router has authorized.
    ///
    /// # Cancel safety
    /// Dropping the future ends the instance.
    pub(crate) async fn call(
        self: &Arc<Self>,
        router: &Arc<Router>,
        interface: &str,
        function: &str,
        request: Request,
        mut context: CallContext,
    ) -> Result<Reply, CallError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        context.deadline = context.deadline.min(now + self.deadline);
        let answer = self.answer(router, interface, function, request, context, now).await;
        answer.inspect_err(|error| self.count(error))
    }

    async fn answer(
        self: &Arc<Self>,
        router: &Arc<Router>,
        interface: &str,
        function: &str,
        request: Request,
        context: CallContext,
        now: Instant,
    ) -> Result<Reply, CallError> {
        let pass = {
            let entered = std::pin::pin!(self.enter(context.depth));
            deadline::by_turn(now, context.deadline, entered).await?
        };
        if let Some(pre) = &self.http
            && (interface, function)
                == (wattle_http::HANDLE.interface, wattle_http::HANDLE.function)
        {
            return http::handle(self, pre, router, request, context, pass).await;
        }
        if let Some(watcher) = &self.watcher
            && interface == wattle_keyvalue::WATCHER
        {
            let told = watching::tell(self, watcher, router, function, request, context, pass);
            return Box::pin(told).await;
        }
        match &self.messages {
            Some(handler) if messaging::Handler::answers(interface, function) => {
                Box::pin(messaging::handle(self, handler, router, request, context, pass)).await
            }
            _ => {
                let export = self.bridged.find(interface, function)?;
                Box::pin(bridge::answer(self, export, router, request, context, pass)).await
            }
        }
    }

    /// A place at the actor's gate, and one of the host's instances. Who waits for an instance is inside the gate, so that no
    /// more wait than all actors have places. A call of another actor does not wait for one: that actor has an instance, and if
    /// all that have one waited for another, none would come free.
    async fn enter(&self, depth: u8) -> Result<Pass, CallError> {
        let pass = self.gate.enter().await?;
        let (instances, places) = (self.instances.clone(), self.places);
        let instance = match instances.clone().try_acquire_many_owned(places) {
            Ok(instance) => instance,
            Err(_) if depth > 1 => return Err(no_instance_left()),
            Err(_) => instances.acquire_many_owned(places).await.map_err(|_| no_instance())?,
        };
        Ok(pass.with_instance(instance))
    }

    /// Calls so far, and how many of them failed in which way.
    pub(crate) fn counts(&self) -> (u64, BTreeMap<String, u64>) {
        let failures =
            self.failures.lock().iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        (self.calls.load(Ordering::Relaxed), failures)
    }

    fn count(&self, error: &CallError) {
        *self.failures.lock().entry(error.kind.as_str()).or_default() += 1;
    }

    /// Adds a line to the actor's log.
    pub(crate) fn log(&self, level: &'static str, message: String) {
        self.logbook.push(Some(self.id.clone()), level, message);
    }
}

pub(crate) fn no_instance_left() -> CallError {
    CallError::new(ErrorKind::Overloaded, "all instances of the host are in use")
}

fn no_instance() -> CallError {
    CallError::new(ErrorKind::Unavailable, "the host stops")
}
