//! What waits for a place at an actor: so many things and so many bytes of them, no more.

use std::{future::Future, pin::pin, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{End, Work};

/// The end of a queue that things come in at.
#[derive(Debug)]
pub struct Queue<T> {
    things: mpsc::Sender<Queued<T>>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
}

/// The end that they leave by.
#[derive(Debug)]
pub struct Waiting<T> {
    things: mpsc::Receiver<Queued<T>>,
}

/// Something from a queue. Its bytes count until its share is dropped.
#[derive(Debug)]
pub struct Queued<T> {
    /// What it is.
    pub thing: T,
    /// Its bytes.
    pub share: Share,
}

/// A share of a queue's bytes, free again when this is dropped.
#[derive(Debug)]
pub struct Share(#[expect(dead_code, reason = "held to be dropped")] OwnedSemaphorePermit);

/// A queue that holds at most so many things, and so many bytes of them.
pub fn queue<T>(len_max: usize, bytes_max: u32) -> (Queue<T>, Waiting<T>) {
    let (sender, things) = mpsc::channel(len_max);
    let bytes = Arc::new(Semaphore::new(bytes_max as usize));
    (Queue { things: sender, bytes, bytes_max }, Waiting { things })
}

impl<T> Queue<T> {
    /// Takes something of so many bytes where it has room for it, and never waits. Says whether it did.
    pub fn push(&self, thing: T, len: usize) -> bool {
        let Ok(len) = u32::try_from(len) else { return false };
        let Ok(share) = Arc::clone(&self.bytes).try_acquire_many_owned(len) else { return false };
        self.things.try_send(Queued { thing, share: Share(share) }).is_ok()
    }

    /// Takes something of so many bytes once it has room for it. What is larger than the whole queue waits until that is empty.
    /// Says whether there is still anybody to take it from the queue.
    pub async fn put(&self, thing: T, len: usize) -> bool {
        let len = u32::try_from(len).unwrap_or(u32::MAX).min(self.bytes_max);
        let share = Arc::clone(&self.bytes).acquire_many_owned(len).await;
        let share = share.expect("nobody closes the queue's bytes");
        self.things.send(Queued { thing, share: Share(share) }).await.is_ok()
    }
}

impl<T: Send> Waiting<T> {
    /// What has waited longest, once there is something; nothing once the other end is gone.
    pub async fn next(&mut self) -> Option<Queued<T>> {
        self.things.recv().await
    }

    /// Gives what waits to the actor, one thing for each place that it has. Ends with the queue, or at once with the link.
    pub async fn give<F>(mut self, work: &Work, mut end: End, handle: impl Fn(Queued<T>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut deleted = pin!(end.deleted());
        loop {
            let next = async {
                let queued = self.next().await?;
                Some((queued, work.place().await))
            };
            let next = tokio::select! {
                biased;
                () = &mut deleted => return,
                next = next => next,
            };
            let Some((queued, place)) = next else { return };
            work.give(place, handle(queued));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_queue_holds_so_many_things_and_so_many_bytes_and_drops_the_rest() {
        let (full, mut waiting) = queue(10, 1_000);
        assert_eq!((0..20).filter(|number| full.push(*number, 1)).count(), 10);
        for number in 0..10 {
            assert_eq!(waiting.next().await.map(|queued| queued.thing), Some(number));
        }
        assert!(full.push(100, 1_000) && !full.push(101, 1), "its bytes are used up");
        drop(waiting.next().await);
        assert!(full.push(102, 1_000), "and free again");
        assert!(!full.push(103, 1_001), "more than it ever holds");
        drop(full);
        assert_eq!(waiting.next().await.map(|queued| queued.thing), Some(102));
        assert!(waiting.next().await.is_none());
    }

    #[tokio::test]
    async fn what_can_wait_outside_comes_in_when_there_is_room() {
        let (narrow, mut waiting) = queue(10, 10);
        assert!(narrow.put("first", 4_711).await, "larger than the queue, and alone in it");
        let second = tokio::spawn(async move { narrow.put("second", 1).await });
        let first = waiting.next().await.expect("it is there");
        tokio::task::yield_now().await;
        assert!(!second.is_finished(), "no room");
        drop(first);
        assert!(second.await.expect("no panic"));
        assert_eq!(waiting.next().await.map(|queued| queued.thing), Some("second"));
    }
}
