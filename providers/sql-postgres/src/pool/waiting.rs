//! How much memory calls take that wait for a connection, of one link and of all.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Memory that one link's waiting calls take, in bytes, unless only one waits: that may take more. Their messages, which are there as
/// well, take no more than that again.
const LINK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Memory that the waiting calls of all links take, in bytes.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What those of all links take: a process is one provider.
static ALL: AtomicUsize = AtomicUsize::new(0);

/// What those of one link take.
#[derive(Debug, Default)]
pub(super) struct WaitingBytes(Arc<AtomicUsize>);

/// What one of them takes. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Held {
    link: Arc<AtomicUsize>,
    bytes: usize,
}

impl WaitingBytes {
    /// Makes room for one more, if there is some.
    pub(super) fn hold(&self, bytes: usize) -> Option<Held> {
        // The largest call is larger than that, and has its turn, too.
        if !add(&self.0, bytes, |held, sum| held == 0 || sum <= LINK_BYTES_MAX) {
            return None;
        }
        if !add(&ALL, bytes, |_, sum| sum <= BYTES_MAX) {
            self.0.fetch_sub(bytes, Relaxed);
            return None;
        }
        Some(Held { link: Arc::clone(&self.0), bytes })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.link.fetch_sub(self.bytes, Relaxed);
        ALL.fetch_sub(self.bytes, Relaxed);
    }
}

fn add(count: &AtomicUsize, more: usize, fits: impl Fn(usize, usize) -> bool) -> bool {
    let added = |held: usize| held.checked_add(more).filter(|sum| fits(held, *sum));
    count.fetch_update(Relaxed, Relaxed, added).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_no_more_than_it_may_nor_do_all_together() {
        let links: [WaitingBytes; 5] = Default::default();
        let mut held: Vec<_> = links.iter().map(|link| link.hold(LINK_BYTES_MAX)).collect();
        assert_eq!(held.iter().filter(|held| held.is_some()).count(), 4, "64 MiB in all");
        assert!(links[0].hold(1).is_none() && links[4].hold(1).is_none());
        held.remove(0);
        assert!(links[1].hold(1).is_none(), "it has had its part");
        let last = links[4].hold(1).expect("room for another link");
        assert!(links[0].hold(LINK_BYTES_MAX).is_none(), "all but one byte");
        drop((held, last));
        let largest = links[0].hold(2 * LINK_BYTES_MAX).expect("alone, it may take more");
        assert!(links[0].hold(1).is_none());
        drop(largest);
        assert!(links[0].hold(LINK_BYTES_MAX).is_some());
    }
}
