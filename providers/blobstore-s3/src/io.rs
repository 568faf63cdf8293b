//! The threads beside the lanes on which requests to S3 are made: signing a part of an upload means hashing megabytes.

use std::{io, sync::Arc};

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};
use wattle_blobstore::Failure;

/// Enough to hash for one link while another's answers are read.
const THREADS: usize = 2;

/// A handle to the threads, which end with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct Io {
    runtime: Arc<Owned>,
}

#[derive(Debug)]
struct Owned {
    handle: Handle,
    /// Nothing once it is being dropped.
    runtime: Option<Runtime>,
}

impl Io {
    pub(crate) fn start() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let builder = builder.worker_threads(THREADS).thread_name("s3").enable_all();
        let runtime = builder.build()?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Arc::new(Owned { handle, runtime: Some(runtime) }) })
    }

    /// What `work` answers.
    ///
    /// # Cancel safety
    /// Dropping the future ends the work at its next await.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        self.begin(work).end().await
    }

    /// The same, but `work` goes on although nobody waits for it any more.
    pub(crate) async fn run_to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        self.runtime.handle.spawn(work).await.unwrap_or_else(|_| Err(panicked()))
    }

    /// Begins with `work`, which goes on by itself while what this returns is kept.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Begun<T> {
        Begun(self.runtime.handle.spawn(work))
    }

    /// Does what nobody waits for.
    pub(crate) fn detach(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.runtime.handle.spawn(work);
    }
}

/// Work under way. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Begun<T>(JoinHandle<Result<T, Failure>>);

impl<T> Begun<T> {
    pub(crate) async fn end(mut self) -> Result<T, Failure> {
        (&mut self.0).await.unwrap_or_else(|_| Err(panicked()))
    }
}

impl<T> Drop for Begun<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Owned {
    /// A lane may be the last to let go, and must not wait for the threads.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn panicked() -> Failure {
    Failure::backend("a request to S3 panicked")
}
