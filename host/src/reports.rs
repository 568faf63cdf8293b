//! What went wrong, told once a second instead of a thousand times: a line in the log and an event for each distinct thing.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tracing::warn;
use wattle_core::{CallError, EntityId, ErrorKind, event::Event};

use crate::router::Denial;

/// A thing is told again at the earliest after this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// Distinct things remembered; with more at once, the rest are only counted.
const DISTINCT_MAX: usize = 1_024;

/// The most characters told of what was denied or failed: actors choose some of them, and events wait by the thousand.
const TOLD_CHARS_MAX: usize = 2_000;

/// Distinct reasons counted for the inventory.
const REASONS_MAX: usize = 256;

/// Events waiting to be published; beyond it they are dropped.
pub(crate) const EVENTS_PENDING_MAX: usize = 1_024;

/// Collects what is refused, denied and failed.
pub(crate) struct Reports {
    recent: Mutex<HashMap<Thing, Recent>>,
    refused: Mutex<BTreeMap<String, u64>>,
    events: mpsc::Sender<Event>,
}

/// What makes two reports the same.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Thing {
    Denied { caller: String, callee: String, interface: String, reason: String },
    Failed { id: EntityId, kind: ErrorKind },
    Refused { what: String, reason: String },
}

struct Recent {
    told: Instant,
    untold: u64,
    message: String,
}

impl Reports {
    /// Reports that send their events into `events`.
    pub(crate) fn new(events: mpsc::Sender<Event>) -> Arc<Self> {
        Arc::new(Self { recent: Mutex::default(), refused: Mutex::default(), events })
    }

    /// Something happened that is told each time.
    pub(crate) fn event(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            self.count("an event was dropped: too many at once");
        }
    }

    /// The router denied a call.
    pub(crate) fn call_denied(&self, caller: &str, callee: &str, interface: &str, denial: &Denial) {
        self.count("call denied");
        let reason: String = denial.to_string().chars().take(TOLD_CHARS_MAX).collect();
        let thing = Thing::Denied {
            caller: caller.to_owned(),
            callee: callee.to_owned(),
            interface: interface.chars().take(200).collect(),
            reason: reason.clone(),
        };
        self.tell(thing, reason);
    }

    /// A call that was let in failed.
    pub(crate) fn call_failed(&self, id: &EntityId, error: &CallError) {
        let kind = error.kind;
        if !matches!(kind, ErrorKind::Cancelled) {
            let message = error.message.chars().take(TOLD_CHARS_MAX).collect();
            self.tell(Thing::Failed { id: id.clone(), kind }, message);
        }
    }

    /// Something that arrived was not taken.
    pub(crate) fn refused(&self, what: &str, reason: &str) {
        self.count(&format!("{what}: {reason}"));
        let reason: String = reason.chars().take(300).collect();
        self.tell(Thing::Refused { what: what.to_owned(), reason: reason.clone() }, reason);
    }

    /// Something was left out that is no event of its own: who is told of events would be told of it.
    pub(crate) fn left_out(&self, what: &str) {
        self.count(what);
    }

    /// How often things were refused since the host started, by reason.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.refused.lock().clone()
    }

    fn count(&self, reason: &str) {
        let mut refused = self.refused.lock();
        if let Some(count) = refused.get_mut(reason) {
            *count += 1;
        } else {
            let known = if refused.len() < REASONS_MAX { reason } else { "other reasons" };
            *refused.entry(known.to_owned()).or_default() += 1;
        }
    }

    fn tell(&self, thing: Thing, message: String) {
        let now = Instant::now();
        let mut recent = self.recent.lock();
        if let Some(known) = recent.get_mut(&thing) {
            known.untold += 1;
            known.message = message;
            return;
        }
        if recent.len() >= DISTINCT_MAX {
            return;
        }
        recent.insert(thing.clone(), Recent { told: now, untold: 0, message: message.clone() });
        drop(recent);
        self.say(&thing, &message, 1);
    }

    /// Tells what was held back. Called by a task, a few times a second.
    pub(crate) fn flush(&self) {
        let now = Instant::now();
        let mut due = Vec::new();
        self.recent.lock().retain(|thing, recent| {
            if now.duration_since(recent.told) < INTERVAL {
                return true;
            }
            let again = recent.untold > 0;
            if again {
                due.push((thing.clone(), recent.message.clone(), recent.untold));
                recent.told = now;
                recent.untold = 0;
            }
            again
        });
        for (thing, message, times) in due {
            self.say(&thing, &message, times);
        }
    }

    fn say(&self, thing: &Thing, message: &str, times: u64) {
        let event = match thing.clone() {
            Thing::Denied { caller, callee, interface, reason } => {
                warn!(%caller, %callee, %interface, %reason, times, "call denied");
                Event::CallDenied { caller, callee, interface, reason, times }
            }
            Thing::Failed { id, kind } => {
                warn!(actor = %id, kind = kind.as_str(), error = message, times, "call failed");
                Event::CallFailed { id, error: kind, message: message.to_owned(), times }
            }
            Thing::Refused { what, reason } => {
                warn!(%what, %reason, times, "refused");
                Event::Refused { what, reason, times }
            }
        };
        self.event(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thousand_denials_of_one_kind_are_one_event_at_once_and_one_with_the_count() {
        let (send, mut events) = mpsc::channel(EVENTS_PENDING_MAX);
        let reports = Reports::new(send);
        for _ in 0..1_000 {
            reports.call_denied("cart", "kv", "wasi:keyvalue/store", &Denial::new("no link"));
        }
        assert!(matches!(events.try_recv(), Ok(Event::CallDenied { times: 1, .. })));
        assert!(events.try_recv().is_err());
        for recent in reports.recent.lock().values_mut() {
            recent.told -= INTERVAL;
        }
        reports.flush();
        assert!(matches!(events.try_recv(), Ok(Event::CallDenied { times: 999, .. })));
        assert_eq!(reports.counts()["call denied"], 1_000);
    }

    #[tokio::test]
    async fn hostile_variety_does_not_grow_without_bound() {
        let (send, _events) = mpsc::channel(EVENTS_PENDING_MAX);
        let reports = Reports::new(send);
        for number in 0..10_000 {
            reports.refused("message", &format!("reason {number}"));
        }
        assert!(reports.counts().len() <= REASONS_MAX + 1);
        assert!(reports.recent.lock().len() <= DISTINCT_MAX);
    }
}
