//! Control messages on their way from a provider to its supervisor.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Messages that wait for the supervisor: the answers to all of a provider's links may come at once.
const MESSAGES_MAX: usize = 8_192;

/// Bytes of the messages that wait.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// A bounded queue with one reader.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Bytes>,
    bytes: usize,
    overflowed: bool,
}

/// The provider says more than its supervisor can hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflowed;

impl Mailbox {
    /// Adds a message, or notes that there is no room for it, which ends the provider. Copies it: a message is small, and what
    /// it is a part of may not be.
    pub(super) fn put(&self, message: &[u8]) {
        let mut queue = self.queue.lock();
        let fits = queue.messages.len() < MESSAGES_MAX
            && queue.bytes.saturating_add(message.len()) <= BYTES_MAX;
        if fits {
            queue.bytes += message.len();
            queue.messages.push_back(Bytes::copy_from_slice(message));
        } else {
            queue.overflowed = true;
        }
        drop(queue);
        self.changed.notify_one();
    }

    /// The next message, if there is one.
    pub(super) fn take(&self) -> Result<Option<Bytes>, Overflowed> {
        let mut queue = self.queue.lock();
        if queue.overflowed {
            return Err(Overflowed);
        }
        let message = queue.messages.pop_front();
        queue.bytes -= message.as_ref().map_or(0, Bytes::len);
        Ok(message)
    }

    /// Waits for the next message.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&self) -> Result<Bytes, Overflowed> {
        loop {
            let changed = self.changed.notified();
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_in_the_order_in_which_they_were_put() {
        let mailbox = Mailbox::default();
        mailbox.put(b"one");
        mailbox.put(b"two");
        assert_eq!(mailbox.next().await.expect("room"), "one");
        assert_eq!(mailbox.next().await.expect("room"), "two");
        assert_eq!(mailbox.take(), Ok(None));
    }

    #[tokio::test]
    async fn who_floods_it_is_noticed_and_costs_no_more_memory() {
        for message in [&b""[..], &vec![0; 64 * 1024]] {
            let mailbox = Mailbox::default();
            for _ in 0..100_000 {
                mailbox.put(message);
            }
            assert_eq!(mailbox.next().await, Err(Overflowed));
            let queue = mailbox.queue.lock();
            assert!(queue.messages.len() <= MESSAGES_MAX && queue.bytes <= BYTES_MAX);
        }
    }
}
