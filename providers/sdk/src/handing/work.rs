//! What one link's actor is given at the same time, on which threads, and how that ends.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Actor;

/// A link's actor, and the places it has for what it is given.
#[derive(Debug)]
pub struct Work {
    /// Who is given it.
    pub actor: Actor,
    places: Arc<Semaphore>,
    max: usize,
    next_lane: AtomicUsize,
}

impl Work {
    /// An actor that has at most so much at the same time.
    pub fn new(actor: Actor, max_in_flight: usize) -> Self {
        let places = Arc::new(Semaphore::new(max_in_flight));
        Self { actor, places, max: max_in_flight, next_lane: AtomicUsize::new(0) }
    }

    /// A place, once there is one.
    pub async fn place(&self) -> OwnedSemaphorePermit {
        let places = Arc::clone(&self.places);
        places.acquire_owned().await.expect("nobody closes the places")
    }

    /// Further places, as many as are free now, up to `most`.
    pub fn free_places(&self, most: usize) -> Vec<OwnedSemaphorePermit> {
        let places = || Arc::clone(&self.places).try_acquire_owned().ok();
        std::iter::from_fn(places).take(most).collect()
    }

    /// Runs what gives something to the actor on one lane after the other, each of which has a thread and a socket of its own.
    pub fn give(
        &self,
        place: OwnedSemaphorePermit,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.spawn(async move {
            task.await;
            drop(place);
        });
    }

    /// The same, where the task takes places by itself: [`idle`](Self::idle) does not wait for one that has none.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let lane = self.next_lane.fetch_add(1, Ordering::Relaxed);
        self.actor.host.spawn_on(lane, task);
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        let all = u32::try_from(self.max).expect("a small number");
        let _ = self.places.acquire_many(all).await;
    }
}
