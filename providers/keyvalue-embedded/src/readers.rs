//! The threads that read stores' files: a page that is not in memory is a wait for the disk, which no lane can afford.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use tokio::sync::{mpsc, oneshot};
use wattle_core::{CallError, ErrorKind};
use wattle_keyvalue::Failure;

/// Threads that read: more than a disk serves at once would only wait.
const THREADS: usize = 4;

/// Reads that wait for a thread. Beyond it, calls are refused at once.
const WAITING_MAX: usize = 2_048;

type Job = Box<dyn FnOnce() + Send>;

/// A handle to the threads, which end with the last of them.
#[derive(Clone, Debug)]
pub struct Readers {
    queue: mpsc::Sender<Job>,
}

impl Readers {
    /// Starts the threads.
    pub fn start() -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel::<Job>(WAITING_MAX);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..THREADS {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new().name(format!("reader-{number}")).spawn(move || work(&jobs))?;
        }
        Ok(Self { queue })
    }

    /// What `read` finds, once a thread is free for it.
    ///
    /// # Cancel safety
    /// A read that nobody waits for any more is left out if it has not begun.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, found) = oneshot::channel();
        let job = move || {
            if !answer.is_closed() {
                let _ = answer.send(read()); // whoever went away does not want it
            }
        };
        self.queue.try_send(Box::new(job)).map_err(|_| overloaded())?;
        found.await.unwrap_or_else(|_| Err(Failure::backend("the read failed")))
    }
}

/// One thread waits in the channel, the others for the lock; whoever gets a job lets the next one wait.
fn work(jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match job {
            Some(job) => job(),
            None => return,
        }
    }
}

/// More waits than the store can take.
pub(crate) fn overloaded() -> Failure {
    CallError::new(ErrorKind::Overloaded, "too many calls wait for this store").into()
}
