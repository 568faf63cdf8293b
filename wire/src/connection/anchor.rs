//! A timer that lies ahead of those of calls, so that setting one of those costs no system call where calls are answered.
//!
//! Whoever answers a call that has to wait sets a timer for its deadline, seconds away. tokio wakes its thread, by a write to a
//! descriptor and a poll that ends at once, for each timer that is earlier than all it knew of when it last went to sleep. Where
//! calls are quick it mostly knew of none, and so does this for each of them; unless there is one that stays.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::sleep;

use super::shared::Shared;

/// Sooner than deadlines are that anybody waits for in earnest, and not so soon that it costs anything.
const AHEAD: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Anchor {
    /// Calls that had to wait, ever.
    calls: AtomicU64,
    is_set: AtomicBool,
}

/// Says that a call of the other side has to wait. The timer stays until none came that does for as long as it runs.
pub(super) fn keep(shared: &Arc<Shared>) {
    let anchor = &shared.anchor;
    // Relaxed: at worst a timer too many, or one less until the next call.
    anchor.calls.fetch_add(1, Relaxed);
    if !anchor.is_set.swap(true, Relaxed) {
        tokio::spawn(hold(Arc::clone(shared)));
    }
}

async fn hold(shared: Arc<Shared>) {
    let anchor = &shared.anchor;
    let mut seen = 0;
    loop {
        let calls = anchor.calls.load(Relaxed);
        if calls == seen || *shared.ended.borrow() {
            break;
        }
        seen = calls;
        sleep(AHEAD).await;
    }
    anchor.is_set.store(false, Relaxed);
}
