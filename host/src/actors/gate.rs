//! How many calls an actor takes at once, how many wait, and when it takes none.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use wattle_core::{CallError, ErrorKind, control::Scale};

/// Calls that wait for an instance, unless the actor's limits say otherwise.
pub(crate) const QUEUE_MAX_DEFAULT: u32 = 1_024;

/// The one door of an actor. In it calls are counted; beyond its limits they are refused at once.
#[derive(Debug)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    scale: AtomicU16,
    places_max: u16,
    queue_max: u32,
    queued: AtomicU32,
    inside: AtomicU32,
    closed: AtomicBool,
    left: Notify,
}

/// A call's place inside; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    _place: OwnedSemaphorePermit,
    _instance: Option<OwnedSemaphorePermit>,
}

impl Gate {
    /// A gate with as many places as `scale` says, but never more than `places_max`: one actor does not take all of a host.
    pub(crate) fn new(scale: Scale, places_max: u16, queue_max: u32) -> Arc<Self> {
        let places = places(scale).min(places_max);
        Arc::new(Self {
            places: Arc::new(Semaphore::new(usize::from(places))),
            scale: AtomicU16::new(places),
            places_max,
            queue_max,
            queued: AtomicU32::new(0),
            inside: AtomicU32::new(0),
            closed: AtomicBool::new(false),
            left: Notify::new(),
        })
    }

    /// A place, at once if one is free, else when it is this call's turn.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue.
    pub(crate) async fn enter(self: &Arc<Self>) -> Result<Pass, CallError> {
        self.check_open()?;
        match self.places.clone().try_acquire_owned() {
            Ok(place) => Ok(self.admit(place)),
            Err(_) => self.wait_for_a_place().await,
        }
    }

    async fn wait_for_a_place(self: &Arc<Self>) -> Result<Pass, CallError> {
        let _waiting = Waiting::join(self)?;
        let place = self.places.clone().acquire_owned().await.map_err(|_| stopped())?;
        self.check_open()?;
        // Inside before it leaves the queue: there is no moment in which it is in neither.
        Ok(self.admit(place))
    }

    fn admit(self: &Arc<Self>, place: OwnedSemaphorePermit) -> Pass {
        self.inside.fetch_add(1, Ordering::Relaxed);
        Pass { gate: self.clone(), _place: place, _instance: None }
    }

    fn check_open(&self) -> Result<(), CallError> {
        let open = !self.closed.load(Ordering::Acquire) && self.scale.load(Ordering::Acquire) > 0;
        if open { Ok(()) } else { Err(stopped()) }
    }

    /// Takes effect at once for new calls; calls inside finish.
    pub(crate) fn set_scale(&self, scale: Scale) {
        let wanted = places(scale).min(self.places_max);
        let had = self.scale.swap(wanted, Ordering::AcqRel);
        if wanted >= had {
            self.places.add_permits(usize::from(wanted - had));
            return;
        }
        let surplus = u32::from(had - wanted);
        let at_once = self.places.forget_permits(surplus as usize) as u32;
        if at_once < surplus {
            // The rest are inside: their places are taken away as they leave.
            let places = self.places.clone();
            tokio::spawn(async move {
                if let Ok(permits) = places.acquire_many_owned(surplus - at_once).await {
                    permits.forget();
                }
            });
        }
    }

    pub(crate) fn scale(&self) -> Scale {
        std::num::NonZeroU16::new(self.scale.load(Ordering::Relaxed))
            .map_or(Scale::Stopped, Scale::UpTo)
    }

    /// Takes no more calls; those that wait are refused.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.places.close();
    }

    /// Waits until nobody is inside and nobody waits to be.
    pub(crate) async fn empty(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            // In this order: who is not in the queue any more is counted inside.
            if self.queued() == 0 && self.inside() == 0 {
                return;
            }
            left.await;
        }
    }

    pub(crate) fn inside(&self) -> u32 {
        self.inside.load(Ordering::Acquire)
    }

    pub(crate) fn queued(&self) -> u32 {
        self.queued.load(Ordering::Acquire)
    }
}

impl Pass {
    /// The same place, and one of the host's instances with it.
    pub(crate) fn with_instance(mut self, instance: OwnedSemaphorePermit) -> Self {
        self._instance = Some(instance);
        self
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.gate.inside.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.gate.left.notify_waiters();
        }
    }
}

/// A call in the queue.
struct Waiting<'a>(&'a Gate);

impl<'a> Waiting<'a> {
    fn join(gate: &'a Gate) -> Result<Self, CallError> {
        let waiting = Self(gate);
        if gate.queued.fetch_add(1, Ordering::AcqRel) < gate.queue_max {
            return Ok(waiting);
        }
        let message = format!(
            "{} calls under way and {} waiting: that is the limit",
            gate.inside(),
            gate.queue_max
        );
        Err(CallError::new(ErrorKind::Overloaded, message))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.0.queued.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.left.notify_waiters();
        }
    }
}

fn places(scale: Scale) -> u16 {
    match scale {
        Scale::Stopped => 0,
        Scale::UpTo(places) => places.get(),
    }
}

fn stopped() -> CallError {
    CallError::new(ErrorKind::Unavailable, "the actor is stopped")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU16;

    use super::*;

    fn up_to(places: u16) -> Scale {
        Scale::UpTo(NonZeroU16::new(places).expect("not zero"))
    }

    #[tokio::test]
    async fn calls_beyond_places_and_queue_are_refused_at_once() {
        let gate = Gate::new(up_to(1), 9, 1);
        let inside = gate.enter().await.expect("free");
        let second = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter().await.map(drop) }
        });
        while gate.queued() == 0 {
            tokio::task::yield_now().await;
        }
        let third = gate.enter().await.expect_err("the queue is full");
        assert_eq!(third.kind, ErrorKind::Overloaded);
        drop(inside);
        second.await.expect("ran").expect("its turn came");
        assert_eq!((gate.inside(), gate.queued()), (0, 0));
    }

    #[tokio::test]
    async fn a_smaller_scale_holds_as_soon_as_calls_leave() {
        let gate = Gate::new(up_to(2), 9, 0);
        let first = gate.enter().await.expect("free");
        let second = gate.enter().await.expect("free");
        gate.set_scale(up_to(1));
        tokio::task::yield_now().await;
        drop(first);
        tokio::task::yield_now().await;
        assert!(gate.enter().await.is_err(), "the freed place is gone");
        drop(second);
        gate.enter().await.expect("the one place left");
    }

    #[tokio::test]
    async fn no_scale_takes_more_than_the_gate_has() {
        let gate = Gate::new(up_to(5), 2, 0);
        assert_eq!(gate.scale(), up_to(2));
        gate.set_scale(up_to(9));
        let inside = [gate.enter().await.expect("free"), gate.enter().await.expect("free")];
        assert!(gate.enter().await.is_err());
        drop(inside);
    }

    #[tokio::test]
    async fn a_gate_is_empty_once_those_that_waited_have_been_inside() {
        let gate = Gate::new(up_to(1), 9, 8);
        let inside = gate.enter().await.expect("free");
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter().await }
        });
        while gate.queued() == 0 {
            tokio::task::yield_now().await;
        }
        let empty = gate.empty();
        tokio::pin!(empty);
        assert!(futures::poll!(empty.as_mut()).is_pending());
        drop(inside);
        let waited = waiting.await.expect("ran").expect("its turn came");
        assert!(futures::poll!(empty.as_mut()).is_pending(), "it is inside");
        drop(waited);
        empty.await;
    }

    #[tokio::test]
    async fn a_stopped_gate_is_unavailable_and_says_when_it_is_empty() {
        let gate = Gate::new(up_to(1), 9, 8);
        let inside = gate.enter().await.expect("free");
        gate.close();
        assert_eq!(gate.enter().await.expect_err("closed").kind, ErrorKind::Unavailable);
        let empty = tokio::spawn({
            let gate = gate.clone();
            async move { gate.empty().await }
        });
        drop(inside);
        empty.await.expect("empty");
    }
}
