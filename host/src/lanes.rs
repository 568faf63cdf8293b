//! The host's lanes: threads that carry calls, each with a runtime of its own.
//!
//! What belongs to one call stays on one lane, so that its path crosses no thread: one current-thread runtime per core, with a
//! connection each to every provider, was 1.2 times as fast as one multi-thread runtime.

use std::{cell::Cell, io, sync::Arc, thread};

use parking_lot::Mutex;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::Notify,
};
use wattle_wire::lanes::LANES_MAX;

/// Threads for blocking work of one lane (reading a file, say); what needs more has a pool of its own.
const BLOCKING_THREADS_MAX: usize = 8;

/// Tasks that run before a lane looks at its sockets and timers again. tokio's 61 is for tasks that take microseconds: a guest
/// may take an epoch.
const TASKS_PER_LOOK: u32 = 4;

thread_local! {
    static LANE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The host's lanes. They live as long as the host: a provider's process ends with the thread that spawned it.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

#[derive(Debug)]
struct Lane {
    handle: Handle,
    stop: Arc<Notify>,
}

impl Lanes {
    /// Starts `count` lanes, at least one and at most as many as a provider can have sockets.
    pub(crate) fn start(count: usize) -> io::Result<Self> {
        let started = Self { lanes: Vec::new(), threads: Mutex::default() };
        (0..count.clamp(1, LANES_MAX)).try_fold(started, |mut started, number| {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .event_interval(TASKS_PER_LOOK)
                .max_blocking_threads(BLOCKING_THREADS_MAX)
                .build()?;
            let lane = Lane { handle: runtime.handle().clone(), stop: Arc::new(Notify::new()) };
            let stop = lane.stop.clone();
            let thread = thread::Builder::new()
                .name(format!("lane-{number}"))
                .spawn(move || run(number, runtime, &stop))?;
            started.lanes.push(lane);
            started.threads.get_mut().push(thread);
            Ok(started)
        })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.lanes.len()
    }

    /// The runtime of one lane; numbers past the last start again at the first.
    pub(crate) fn handle(&self, lane: usize) -> &Handle {
        &self.lanes[lane % self.lanes.len()].handle
    }

    /// The calling thread's lane, if it is one.
    pub(crate) fn current() -> Option<usize> {
        LANE.get()
    }

    /// Ends all lanes: drops their tasks and joins their threads, but for the one that calls this. Said again, it does nothing.
    pub(crate) fn shutdown(&self) {
        self.lanes.iter().for_each(|lane| lane.stop.notify_one());
        let here = thread::current().id();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if thread.thread().id() != here && thread.join().is_err() {
                tracing::error!("a lane's thread panicked");
            }
        }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.shutdown();
    }
}

fn run(number: usize, runtime: Runtime, stop: &Notify) {
    LANE.set(Some(number));
    runtime.block_on(stop.notified());
    runtime.shutdown_background(); // blocking work is not waited for
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_runs_on_its_lane_and_nowhere_else() {
        let lanes = Lanes::start(2).expect("two threads");
        for number in 0..2 {
            let lane = lanes.handle(number).spawn(async { Lanes::current() });
            assert_eq!(lane.await.expect("it does not panic"), Some(number));
        }
        assert_eq!(Lanes::current(), None);
    }

    #[tokio::test]
    async fn a_shutdown_drops_what_runs_and_may_come_twice_and_from_a_lane() {
        let lanes = Arc::new(Lanes::start(2).expect("two threads"));
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        lanes.handle(1).spawn(async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        let inside = lanes.clone();
        let _ended = lanes.handle(0).spawn(async move { inside.shutdown() }).await;
        assert!(dropped.await.is_err(), "the task was dropped");
        lanes.shutdown();
    }

    #[test]
    fn there_is_always_a_lane_and_never_more_than_a_provider_can_have() {
        assert_eq!(Lanes::start(0).expect("a thread").count(), 1);
        assert_eq!(Lanes::start(10_000).expect("threads").count(), LANES_MAX);
    }
}
