//! The clock that makes running actors yield to their neighbours. It rests once none has run for a while: a host that has nothing to
//! do need not wake up five hundred times a second.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, Thread},
    time::Duration,
};

use wasmtime::{Engine, EngineWeak};

/// How often a running actor is made to yield to its neighbours on the same thread. A neighbour of one spinning actor waits up
/// to two of these; shorter ones cost throughput without being felt.
const EPOCH_INTERVAL: Duration = Duration::from_millis(2);

/// Epochs without an actor after which the clock rests: enough that calls which come one after the other need not wake it each time.
const QUIET_EPOCHS: u32 = 50;

/// How often a clock that rests looks whether its engine is still there.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// An engine's clock, which ends with the engine.
#[derive(Clone, Debug)]
pub(crate) struct Epochs {
    state: Arc<State>,
    thread: Thread,
}

/// Instances that began and that ended, ever: as many of both when none is there.
#[derive(Debug, Default)]
struct State {
    begun: AtomicU64,
    ended: AtomicU64,
    rests: AtomicBool,
}

/// An instance, for which the clock goes on.
pub(crate) struct Running(Arc<State>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, SeqCst);
    }
}

impl Epochs {
    pub(crate) fn start(engine: &Engine) -> io::Result<Self> {
        let state = Arc::new(State::default());
        let (ticks, engine) = (Arc::clone(&state), engine.weak());
        let ticking = thread::Builder::new().name("epoch".to_owned());
        let thread = ticking.spawn(move || tick(&ticks, &engine))?.thread().clone();
        Ok(Self { state, thread })
    }

    /// Keeps the clock going while an instance is there.
    pub(crate) fn begin(&self) -> Running {
        // In this order, and in the opposite one where the clock comes to rest: one of both sees the other.
        self.state.begun.fetch_add(1, SeqCst);
        if self.state.rests.load(SeqCst) {
            self.thread.unpark();
        }
        Running(Arc::clone(&self.state))
    }
}

fn tick(state: &State, engine: &EngineWeak) {
    let (mut seen, mut quiet) = (0, 0);
    while let Some(engine) = engine.upgrade() {
        engine.increment_epoch();
        drop(engine);
        let begun = state.begun.load(SeqCst);
        let is_quiet = begun == seen && state.ended.load(SeqCst) == begun;
        quiet = if is_quiet { quiet + 1 } else { 0 };
        seen = begun;
        if quiet < QUIET_EPOCHS {
            thread::park_timeout(EPOCH_INTERVAL);
        } else {
            rest(state, seen);
        }
    }
}

/// Until an instance begins, or it is time to look.
fn rest(state: &State, seen: u64) {
    state.rests.store(true, SeqCst);
    if state.begun.load(SeqCst) == seen {
        thread::park_timeout(LOOK_INTERVAL);
    }
    state.rests.store(false, SeqCst);
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Instant};

    use wasmtime::{Config, Instance, Module, Store, Trap, UpdateDeadline};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn engine() -> Engine {
        Engine::new(Config::new().epoch_interruption(true)).expect("an engine")
    }

    fn until(what: &str, mut holds: impl FnMut() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < PATIENCE, "{what}");
            thread::park_timeout(EPOCH_INTERVAL);
        }
    }

    /// Runs a guest without end for more epochs than it takes to come to rest, and says how that ended.
    fn spin(engine: &Engine) -> wasmtime::Error {
        let endless = wat::parse_str("(module (func (export \"run\") (loop br 0)))");
        let module = Module::new(engine, endless.expect("a module")).expect("it compiles");
        let mut store = Store::new(engine, 0);
        store.epoch_deadline_callback(|mut store| {
            *store.data_mut() += 1;
            if *store.data() > 4 * QUIET_EPOCHS {
                return Err(Trap::Interrupt.into());
            }
            Ok(UpdateDeadline::Continue(1))
        });
        store.set_epoch_deadline(1);
        let instance = Instance::new(&mut store, &module, &[]).expect("it links");
        let run = instance.get_typed_func::<(), ()>(&mut store, "run").expect("it is there");
        run.call(&mut store, ()).expect_err("it has no end of its own")
    }

    #[test]
    fn a_clock_at_rest_goes_on_as_soon_as_an_instance_begins_and_while_it_is_there() {
        let engine = engine();
        let epochs = Epochs::start(&engine).expect("a thread");
        for _ in 0..3 {
            until("it rests", || epochs.state.rests.load(SeqCst));
            let (epochs, engine) = (epochs.clone(), engine.clone());
            let (ended, end) = mpsc::sync_channel(1);
            thread::spawn(move || {
                let _running = epochs.begin();
                let _ = ended.send(spin(&engine)); // who waits has given up
            });
            let ended = end.recv_timeout(PATIENCE).expect("the clock goes on");
            assert_eq!(ended.downcast_ref(), Some(&Trap::Interrupt));
        }
    }

    #[test]
    fn a_clock_ends_with_its_engine() {
        let engine = engine();
        let epochs = Epochs::start(&engine).expect("a thread");
        until("it rests", || epochs.state.rests.load(SeqCst));
        drop(engine);
        until("its thread ended", || Arc::strong_count(&epochs.state) == 1);
    }
}
