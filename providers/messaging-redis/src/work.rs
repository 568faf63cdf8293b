//! What one link's actor is given at the same time, on which threads, and how that ends.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use crate::{actor::Actor, settings::Handing};

/// A link's actor, and the places it has for messages.
pub(crate) struct Work {
    pub(crate) actor: Actor,
    places: Arc<Semaphore>,
    max: usize,
    next_lane: AtomicUsize,
}

impl Work {
    pub(crate) fn new(actor: Actor, handing: &Handing) -> Self {
        let max = handing.max_in_flight;
        Self { actor, places: Arc::new(Semaphore::new(max)), max, next_lane: AtomicUsize::new(0) }
    }

    /// A place for one message, once there is one.
    pub(crate) async fn place(&self) -> OwnedSemaphorePermit {
        let places = Arc::clone(&self.places);
        places.acquire_owned().await.expect("nobody closes the places")
    }

    /// Further places, as many as are free now, up to `most`.
    pub(crate) fn free_places(&self, most: usize) -> Vec<OwnedSemaphorePermit> {
        let places = || Arc::clone(&self.places).try_acquire_owned().ok();
        std::iter::from_fn(places).take(most).collect()
    }

    /// Gives a message to the actor on one lane after the other, each of which has a thread and a socket of its own.
    pub(crate) fn give(
        &self,
        place: OwnedSemaphorePermit,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let lane = self.next_lane.fetch_add(1, Ordering::Relaxed);
        self.actor.host.spawn_on(lane, async move {
            task.await;
            drop(place);
        });
    }

    /// Waits until nothing is under way.
    pub(crate) async fn idle(&self) {
        let all = u32::try_from(self.max).expect("a small number");
        let _ = self.places.acquire_many(all).await;
    }
}

/// How far a link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// Take nothing new, end what was taken.
    Draining,
    /// Let go of everything that is not under way.
    Deleted,
}

/// What a link's task hears of its end.
#[derive(Clone)]
pub(crate) struct End(pub(crate) watch::Receiver<Phase>);

impl End {
    /// Comes back when nothing new is to be taken.
    pub(crate) async fn draining(&mut self) {
        let _ = self.0.wait_for(|phase| *phase != Phase::Running).await; // without a sender it has ended, too
    }

    /// Comes back when the link is gone.
    pub(crate) async fn deleted(&mut self) {
        let _ = self.0.wait_for(|phase| *phase == Phase::Deleted).await;
    }
}

/// Says once whether a link's messages come, or why they do not.
pub(crate) struct Ready(pub(crate) Option<oneshot::Sender<Result<(), String>>>);

impl Ready {
    /// Only the first word counts; later trouble is for the log.
    pub(crate) fn say(&mut self, outcome: Result<(), String>) {
        if let Some(ready) = self.0.take() {
            let _ = ready.send(outcome); // whoever put the link may not wait any more
        }
    }
}
