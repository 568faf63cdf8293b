//! The threads that read for one link, each with a connection of its own.
//!
//! They are the link's alone, so a query that takes its whole time keeps nobody else waiting. They come when there is something to
//! read and go when there was nothing for a while: a link that is not used costs neither memory nor open files.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use tracing::error;
use wattle_sql::Error;

use crate::{
    call::Call,
    connection::{Purpose, Session},
    log::Log,
    queue::Queue,
    run,
};

/// Threads of one link: a second one, so that a short query need not wait for a long one of the same link.
const THREADS_MAX: usize = 2;

/// How long a thread, and its connection, waits for the next query.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// A handle to one link's readers, which end with it.
pub(crate) struct Readers {
    path: Arc<PathBuf>,
    log: Arc<Log>,
    queue: Arc<Queue>,
}

impl Readers {
    pub(crate) fn new(path: Arc<PathBuf>, log: Arc<Log>) -> Self {
        Self { path, log, queue: Arc::default() }
    }

    /// Puts a query in line, and sees to it that there is a thread for it.
    pub(crate) fn push(&self, call: Call) -> Result<(), Error> {
        self.queue.push(call)?;
        if self.queue.hire(THREADS_MAX) {
            let (path, log) = (Arc::clone(&self.path), Arc::clone(&self.log));
            let queue = Arc::clone(&self.queue);
            let thread = thread::Builder::new().name("reader".to_owned());
            let started = thread.spawn(move || work(&path, &log, &queue));
            if let Err(error) = started {
                self.queue.dismiss();
                return Err(Error::Overloaded(format!("no thread for the query: {error}")));
            }
        }
        Ok(())
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

fn work(path: &Path, log: &Arc<Log>, queue: &Queue) {
    let mut session = None;
    while let Some(mut call) = queue.next(IDLE_MAX) {
        if !call.ticket.begin() {
            continue;
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let session = match &session {
                Some(session) => session,
                None => session.insert(open(path, log)?),
            };
            run::read(session, &mut call)
        }));
        let outcome = outcome.unwrap_or_else(|_panic| {
            session = None;
            Err(Error::Other("the query's thread panicked".to_owned()))
        });
        call.answer(outcome);
    }
}

fn open(path: &Path, log: &Arc<Log>) -> Result<Session, Error> {
    Session::open(path, Purpose::Read(Arc::clone(log))).map_err(|reason| {
        error!(%reason, "a database cannot be opened for reading");
        Error::Unavailable(format!("the database cannot be opened: {reason}"))
    })
}
