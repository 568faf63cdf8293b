//! One instance: the state of one call's Wasm, made for it and dropped with it.

use std::{
    sync::{Arc, Weak},
    time::Instant,
};

use bytes::Bytes;
use wasmtime::{PoolConcurrencyLimitError, Store, Trap, UpdateDeadline, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{FieldMapError, WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;
use wattle_core::{
    CallError, CallId, ErrorKind, Interface, LinkName, Operation, TraceParent, call::Call,
    link::DEFAULT_LINK_NAME,
};

use wattle_wire::{Reply, Request};

use super::{
    Actor,
    background::turn_is_over,
    bridge::{Freight, Handles, ImportFailed, VALUES_BYTES_MAX},
    epoch::Running,
    limits::{InstanceLimits, Refused},
    no_instance_left,
    stdio::ActorOutput,
};
use crate::router::{HandleCall, Origin, Router};

/// Guest traps name at most this many frames.
const TRAP_TEXT_MAX: usize = 1_500;

/// Handles that an instance may have at once: streams and values among them hold up to 320 KiB each outside of its memory.
const HANDLES_MAX: usize = 1_024;

/// The most random bytes a guest gets at once.
const RANDOM_BYTES_MAX: u64 = 1 << 20;

/// Actors that a call may go through, each calling the next: each holds an instance and its memory, and a loop of them would take
/// all there are.
const ACTORS_DEEP_MAX: u8 = 16;

/// What every call carries from edge to edge.
#[derive(Clone, Debug)]
pub(crate) struct CallContext {
    pub(crate) id: CallId,
    pub(crate) deadline: Instant,
    pub(crate) trace: Option<TraceParent>,
    /// Actors that the call has gone through, each calling the next.
    pub(crate) depth: u8,
}

impl CallContext {
    /// The same call, one actor further.
    pub(crate) fn deeper(&self) -> Result<Self, CallError> {
        if self.depth >= ACTORS_DEEP_MAX {
            let text =
                format!("the call went through {ACTORS_DEEP_MAX} actors, which is the limit");
            return Err(CallError::new(ErrorKind::LimitExceeded, text));
        }
        Ok(Self { depth: self.depth + 1, ..self.clone() })
    }
}

/// What a store holds beside the guest's memory.
pub(crate) struct Instance {
    /// Goes first, so that a body which the guest was writing can tell that it was cut off from that it has ended.
    _alive: Arc<()>,
    pub(crate) caller: InstanceCaller,
    pub(crate) limits: InstanceLimits,
    pub(crate) table: ResourceTable,
    /// What it holds behind its links.
    pub(super) handles: Handles,
    /// Objects that the guest is writing.
    pub(super) uploads: usize,
    /// Clocks, random numbers and the like: made when the guest first asks for one of them, as most calls need none.
    wasi: Option<Box<WasiCtx>>,
    http: WasiHttpCtx,
    /// The clock that makes the guest yield goes on for as long.
    _running: Running,
}

impl Instance {
    /// A store for one call, limited before the guest runs.
    pub(crate) fn store(
        actor: &Arc<Actor>,
        router: &Arc<Router>,
        context: CallContext,
    ) -> Store<Self> {
        let alive = Arc::new(());
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let state = Self {
            limits: InstanceLimits::new(actor.memory_bytes),
            table,
            handles: Handles::default(),
            uploads: 0,
            http: WasiHttpCtx::new(),
            wasi: None,
            caller: InstanceCaller {
                actor: actor.clone(),
                router: router.clone(),
                context,
                is_answered: false,
                link_names: Vec::new(),
                instance: Arc::downgrade(&alive),
            },
            _alive: alive,
            _running: actor.epochs.begin(),
        };
        let mut store = Store::new(actor.pre.engine(), state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(VALUES_BYTES_MAX);
        store.epoch_deadline_callback(|_| {
            Ok(if turn_is_over() { UpdateDeadline::Yield(1) } else { UpdateDeadline::Continue(1) })
        });
        store.set_epoch_deadline(1);
        store
    }
}

/// An instance as the caller of what it imports. A clone owns all that it needs, so that a call does not borrow the store.
#[derive(Clone)]
pub(crate) struct InstanceCaller {
    pub(crate) actor: Arc<Actor>,
    pub(super) router: Arc<Router>,
    context: CallContext,
    /// Whether the head of the call's response is out.
    pub(super) is_answered: bool,
    /// Link names that the guest chose at run time (`wasmcloud:bus`), by interface.
    pub(super) link_names: Vec<(Interface, LinkName)>,
    instance: Weak<()>,
}

impl InstanceCaller {
    /// The call within which the instance calls. Its deadline, and that of whoever it is for, ends with the head of its response: what
    /// the instance calls after that has as long as a call of the actor's has.
    pub(super) fn context(&self) -> CallContext {
        let mut context = self.context.clone();
        if self.is_answered {
            context.deadline = Instant::now() + self.actor.deadline;
        }
        context
    }

    /// What tells whether the instance is still there.
    pub(super) fn instance(&self) -> Weak<()> {
        self.instance.clone()
    }

    pub(super) fn freight(&self) -> &Freight {
        &self.actor.freight
    }

    /// Calls any function over the link that the guest chose for its interface.
    pub(super) async fn call(
        &self,
        interface: &str,
        function: &str,
        params: Vec<u8>,
    ) -> Result<Bytes, CallError> {
        let request = Request { head: Bytes::new(), params: params.into(), body: None };
        Ok(self.carry(interface, function, request).await?.result)
    }

    /// The same for functions with handles: `origin` says where those were made that it gives, and the answer, where those were
    /// that it gets.
    pub(super) async fn call_with_handles(
        &self,
        interface: &str,
        function: &str,
        others: &[Interface],
        origin: Option<Arc<Origin>>,
        params: Vec<u8>,
    ) -> Result<(Bytes, Arc<Origin>), CallError> {
        let request = Request { head: Bytes::new(), params: params.into(), body: None };
        let (caller, link_name) = (&self.actor, self.link_name(interface));
        let call = HandleCall { caller, link_name, interface, function, others, origin };
        let context = self.context();
        let (reply, origin) = self.router.call_with_handles(call, request, &context).await?;
        Ok((reply.result, origin))
    }

    /// Whether it may call a function that its host answers beside the call, with what it got at `origin`.
    pub(super) fn may(
        &self,
        origin: &Origin,
        interface: &str,
        function: &str,
    ) -> Result<(), CallError> {
        self.router.allows_actor(&self.actor, origin, interface, function, &self.context())
    }

    /// The number of the link that a call would take, if it may.
    pub(super) fn link(&self, operation: Operation) -> Result<u32, CallError> {
        let name = self.link_name(operation.interface);
        self.router.link_of_actor(&self.actor, name, operation, &self.context())
    }

    /// The same for functions with streams beside them.
    pub(super) async fn carry(
        &self,
        interface: &str,
        function: &str,
        request: Request,
    ) -> Result<Reply, CallError> {
        let (name, context) = (self.link_name(interface), self.context());
        self.router.call_from_actor(&self.actor, name, interface, function, request, &context).await
    }

    /// The name of the link that the guest chose for an interface.
    pub(super) fn link_name(&self, interface: &str) -> &str {
        let chosen = self.link_names.iter().rev().find(|(of, _)| of.as_str() == interface);
        chosen.map_or(DEFAULT_LINK_NAME, |(_, name)| name.as_str())
    }
}

impl Call for InstanceCaller {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<Bytes, CallError> {
        Self::call(self, operation.interface, operation.function, params).await
    }
}

/// Says in our words how a guest failed.
pub(crate) fn guest_error(error: &wasmtime::Error, state: &Instance) -> CallError {
    if let Some(refused) = state.limits.refused() {
        return CallError::new(ErrorKind::LimitExceeded, limit_text(&state.caller.actor, refused));
    }
    let id = &state.caller.actor.id;
    if let Some(failed) = error.downcast_ref::<ImportFailed>() {
        return failed.of(id);
    }
    if let Some(limit @ (FieldMapError::TooManyFields | FieldMapError::TotalSizeTooBig)) =
        error.downcast_ref()
    {
        return CallError::new(ErrorKind::LimitExceeded, format!("{id}: headers: {limit}"));
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return no_instance_left();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            CallError::new(ErrorKind::LimitExceeded, format!("{id} used up its stack"))
        }
        Some(Trap::OutOfFuel) => {
            CallError::new(ErrorKind::LimitExceeded, format!("{id} used up its fuel"))
        }
        Some(trap) => {
            CallError::new(ErrorKind::Trapped, format!("{id} trapped: {trap}{}", frames(error)))
        }
        None => {
            let mut text = format!("{id} failed: {error:#}");
            text.truncate(text.floor_char_boundary(TRAP_TEXT_MAX));
            CallError::new(ErrorKind::Trapped, text)
        }
    }
}

fn limit_text(actor: &Actor, refused: Refused) -> String {
    match refused {
        Refused::Memory { limit_bytes } => {
            format!("{} asked for more than its {} MiB of memory", actor.id, limit_bytes >> 20)
        }
        Refused::Table { limit_elements } => {
            format!("{} asked for more than {limit_elements} table elements", actor.id)
        }
    }
}

/// Where in the guest it happened, innermost first, for the actor's author.
fn frames(error: &wasmtime::Error) -> String {
    const FRAMES_MAX: usize = 8;
    let Some(backtrace) = error.downcast_ref::<wasmtime::WasmBacktrace>() else {
        return String::new();
    };
    let mut text = String::new();
    for frame in backtrace.frames().iter().take(FRAMES_MAX) {
        let name = frame.func_name().unwrap_or("?");
        text.push_str("\n  at ");
        text.push_str(&name.chars().take(120).collect::<String>());
    }
    text
}

impl WasiView for Instance {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Self { wasi, caller, table, .. } = self;
        let ctx = wasi.get_or_insert_with(|| Box::new(wasi_of(&caller.actor)));
        WasiCtxView { ctx, table }
    }
}

impl IoView for Instance {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

fn wasi_of(actor: &Arc<Actor>) -> WasiCtx {
    let output = ActorOutput::new(actor);
    WasiCtx::builder()
        .stdout(output.clone())
        .stderr(output)
        // Sockets connect to nobody: that there are none spares the host their file descriptors.
        .allow_tcp(false)
        .allow_udp(false)
        .max_random_size(RANDOM_BYTES_MAX)
        .build()
}

impl WasiHttpView for Instance {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.caller, table: &mut self.table, ctx: &mut self.http }
    }
}
