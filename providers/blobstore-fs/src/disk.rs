//! Where a link's work on files is done: on threads beside the lanes, a few at a time, so that a disk that hangs holds up this
//! link and no other.

use std::{sync::Arc, time::Duration};

use tokio::{runtime::Handle, sync::Semaphore, task::spawn_blocking, time::timeout};
use wattle_blobstore::Failure;
use wattle_core::{CallError, ErrorKind};

use crate::root::Root;

/// Threads that one link may keep busy: what a disk serves at once with profit.
const LINK_THREADS: usize = 4;

/// Steps of calls that may be under way or wait over one link; beyond it calls are `Overloaded`.
const LINK_STEPS_MAX: usize = 1_024;

/// How long a step may take, waiting included. Calls have their deadline, which is shorter; this is for bodies, and what a card
/// needs that syncs 64 MiB at its slowest.
const STEP_WAIT: Duration = Duration::from_secs(120);

/// A link's way to its files. Clones share its threads.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    root: Arc<Root>,
    threads: Arc<Semaphore>,
    steps: Arc<Semaphore>,
}

impl Disk {
    pub(crate) fn new(root: Arc<Root>) -> Self {
        let threads = Arc::new(Semaphore::new(LINK_THREADS));
        Self { root, threads, steps: Arc::new(Semaphore::new(LINK_STEPS_MAX)) }
    }

    /// What `step` answers, once a thread is free for it.
    ///
    /// # Errors
    /// The step's; `Overloaded` or `DeadlineExceeded` where there are too many or the disk hangs.
    ///
    /// # Cancel safety
    /// A step that nobody waits for any more is left out if it has not begun, and ends by itself if it has.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Arc<Root>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let overloaded = |_| Failure::overloaded("too many calls wait for this link's disk");
        let _waits = self.steps.try_acquire().map_err(overloaded)?;
        timeout(STEP_WAIT, self.on_a_thread(step)).await.unwrap_or_else(|_| {
            let text = format!("the disk did not answer within {STEP_WAIT:?}");
            Err(Failure::Call(CallError::new(ErrorKind::DeadlineExceeded, text)))
        })
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Arc<Root>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let thread = Arc::clone(&self.threads).acquire_owned().await;
        let thread = thread.map_err(|_| Failure::backend("the link is gone"))?;
        let root = Arc::clone(&self.root);
        let step = spawn_blocking(move || {
            let answer = step(&root);
            drop(thread);
            answer
        });
        step.await.unwrap_or_else(|_| Err(Failure::backend("the work on a file panicked")))
    }
}

/// Runs what nobody waits for, on a thread of its own where there is a lane to protect.
pub(crate) fn beside_lanes(work: impl FnOnce() + Send + 'static) {
    match Handle::try_current() {
        Ok(_) => drop(spawn_blocking(work)),
        Err(_) => work(),
    }
}
