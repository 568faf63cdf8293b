//! A provider's links that hand something over: each a task, replaced, deleted and drained by the link's number.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use super::{End, Phase, Ready, Work};

/// The links that hold now, by number.
#[derive(Debug, Default)]
pub struct Handlers(Mutex<BTreeMap<u32, Handler>>);

/// A link that hands something to an actor.
#[derive(Debug)]
pub struct Handler {
    phase: watch::Sender<Phase>,
    work: Arc<Work>,
    task: JoinHandle<()>,
}

impl Handlers {
    /// Starts a link's task on its number's lane. Where it is told how long to wait, what the task says first within that time
    /// decides whether the link holds; after that it goes on by itself.
    ///
    /// # Errors
    /// The task's first word, if that is why it cannot do its work.
    pub async fn start<F>(
        &self,
        work: Arc<Work>,
        wait: Option<Duration>,
        run: impl FnOnce(End, Ready) -> F,
    ) -> Result<(), String>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let link = work.actor.link;
        let (phase, end) = watch::channel(Phase::Running);
        let (ready, is_ready) = oneshot::channel();
        let lane = usize::try_from(link).unwrap_or_default();
        let task = work.actor.host.spawn_on(lane, run(End(end), Ready(Some(ready))));
        let handler = Handler { phase, work, task };
        if let Some(wait) = wait
            && let Ok(Ok(Err(reason))) = timeout(wait, is_ready).await
        {
            handler.delete().await;
            return Err(reason);
        }
        self.lock().insert(link, handler);
        Ok(())
    }

    /// Takes a link out, to be deleted when whatever takes its place is there.
    pub fn take(&self, link: u32) -> Option<Handler> {
        self.lock().remove(&link)
    }

    /// Ends all of them in order: nothing new is taken, what is under way ends.
    pub async fn drain(&self) {
        let handlers = std::mem::take(&mut *self.lock());
        for handler in handlers.values() {
            handler.phase.send_replace(Phase::Draining);
        }
        for handler in handlers.into_values() {
            handler.ended().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Handler>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler {
    /// Takes nothing any more; what is under way ends by itself.
    pub async fn delete(self) {
        self.phase.send_replace(Phase::Deleted);
        let _ = self.task.await; // a panic was logged, and there is nothing more to end
    }

    async fn ended(self) {
        let _ = self.task.await; // a panic was logged, and there is nothing more to end
        self.work.idle().await;
    }
}
