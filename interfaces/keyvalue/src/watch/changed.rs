//! Keys that have changed and of which an actor is still to be told: each once, however often it changed.

use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::{Duration, Instant},
};

/// Keys that wait to be told of, of one link. What changes beyond it is not told of, but for keys that come again.
const KEYS_MAX: usize = 10_000;

/// The same in bytes of keys.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// Keys are forgotten at most so often: that looks at all of them, and whoever hears of changes waits for it.
const FORGET_PAUSE: Duration = Duration::from_millis(250);

/// A link's keys. Clones are handles to the same.
#[derive(Clone, Debug, Default)]
pub struct Changed(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Keys that wait, those first that have waited longest.
    line: VecDeque<Arc<str>>,
    /// The same, and when each changed last.
    waiting: BTreeMap<Arc<str>, Instant>,
    /// Keys of which somebody is being told, and whether they have changed again meanwhile.
    under_way: BTreeMap<Arc<str>, bool>,
    bytes: usize,
    /// Before when they were forgotten last.
    forgotten: Option<Instant>,
    ended: bool,
    waker: Option<Waker>,
}

/// A key of which the actor is to be told now. Nobody else gets it before this is dropped.
#[derive(Debug)]
pub struct Key {
    key: Arc<str>,
    changed: Changed,
}

impl Changed {
    /// Notes that a key has changed. Says whether there was room for it.
    pub fn note(&self, key: &str) -> bool {
        let mut state = self.state();
        if let Some(again) = state.under_way.get_mut(key) {
            *again = true;
            return true;
        }
        state.wait(key.into())
    }

    /// The same for a key that is noted again where this says no: half of the room is left to those that change now.
    pub fn note_later(&self, key: &str) -> bool {
        let state = self.state();
        let is_free = state.line.len() < KEYS_MAX / 2 && state.bytes < BYTES_MAX / 2;
        drop(state);
        is_free && self.note(key)
    }

    /// The key that has waited longest, once there is one; nothing once none will come any more. One task takes them.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&self) -> Option<Key> {
        let key = poll_fn(|cx| {
            let mut state = self.state();
            match state.take() {
                Some(key) => Poll::Ready(Some(key)),
                None if state.ended && !state.comes_again() => Poll::Ready(None),
                None => {
                    state.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        });
        Some(Key { key: key.await?, changed: self.clone() })
    }

    /// Forgets what changed for the last time before `then`, unless it did the same a quarter of a second ago.
    pub fn forget_before(&self, then: Instant) {
        let mut state = self.state();
        if state.forgotten.is_some_and(|last| then < last + FORGET_PAUSE) {
            return;
        }
        state.forgotten = Some(then);
        let State { line, waiting, bytes, .. } = &mut *state;
        line.retain(|key| {
            let kept = waiting[key] >= then;
            if !kept {
                waiting.remove(key);
                *bytes -= key.len();
            }
            kept
        });
    }

    /// No key comes any more; those that wait are still there.
    pub fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.wake();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&mut self, key: Arc<str>) -> bool {
        let now = Instant::now();
        if let Some(last) = self.waiting.get_mut(&key) {
            *last = now; // it keeps its place
            return true;
        }
        if self.ended || self.line.len() >= KEYS_MAX || self.bytes + key.len() > BYTES_MAX {
            return false;
        }
        self.line_up(key, now);
        true
    }

    fn line_up(&mut self, key: Arc<str>, now: Instant) {
        self.bytes += key.len();
        self.line.push_back(Arc::clone(&key));
        self.waiting.insert(key, now);
        self.wake();
    }

    fn take(&mut self) -> Option<Arc<str>> {
        let key = self.line.pop_front()?;
        self.waiting.remove(&key);
        self.bytes -= key.len();
        self.under_way.insert(Arc::clone(&key), false);
        Some(key)
    }

    /// Whether a key of which somebody is being told waits again after that.
    fn comes_again(&self) -> bool {
        self.under_way.values().any(|again| *again)
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Key {
    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.key
    }

    /// Whether it has changed since it was taken: it comes again, so nothing is to be told of it now.
    pub fn has_changed(&self) -> bool {
        self.changed.state().under_way.get(&self.key).is_some_and(|again| *again)
    }
}

impl Drop for Key {
    /// A key that has changed again comes again, although the end has come or the line is full: whoever noted it was told that there
    /// is room. No more come so than were taken at the same time, which the link limits.
    fn drop(&mut self) {
        let mut state = self.changed.state();
        if state.under_way.remove(&self.key) == Some(true) {
            state.line_up(Arc::clone(&self.key), Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Context, time::Duration};

    use super::*;

    /// What is there now, in its order, without that anybody is told of it.
    fn now(changed: &Changed) -> Option<Key> {
        let next = pin!(changed.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(key) => key,
            Poll::Pending => None,
        }
    }

    fn all(changed: &Changed) -> Vec<String> {
        std::iter::from_fn(|| now(changed)).map(|key| key.as_str().to_owned()).collect()
    }

    #[test]
    fn a_key_that_changes_often_waits_once_and_keeps_its_place() {
        let changed = Changed::default();
        for key in ["a", "b", "a", "c", "b"] {
            assert!(changed.note(key));
        }
        assert_eq!(all(&changed), ["a", "b", "c"]);
    }

    #[test]
    fn a_key_that_changes_while_it_is_told_of_comes_again_when_that_is_done() {
        let changed = Changed::default();
        changed.note("a");
        let key = now(&changed).expect("it waits");
        assert!(!key.has_changed());
        changed.note("a");
        changed.note("b");
        assert!(key.has_changed());
        changed.end();
        assert_eq!(now(&changed).expect("another").as_str(), "b", "nobody else is told of it");
        let mut next = pin!(changed.next());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(next.as_mut().poll(&mut cx).is_pending(), "it is not the end yet");
        drop(key);
        assert_eq!(all(&changed), ["a"], "although the end has come");
    }

    #[test]
    fn so_many_wait_and_no_more() {
        let changed = Changed::default();
        let noted = (0..KEYS_MAX + 5).filter(|n| changed.note(&n.to_string())).count();
        assert_eq!(noted, KEYS_MAX);
        assert!(changed.note("7"), "it waits already");
        drop(now(&changed));
        assert!(changed.note("another"), "there is room again");
        let long = Changed::default();
        let noted = (0..).take_while(|n| long.note(&format!("{n:04000}"))).count();
        assert_eq!(noted, BYTES_MAX / 4_000);
    }

    #[test]
    fn a_key_that_changes_while_it_is_told_of_comes_again_although_the_line_is_full() {
        let changed = Changed::default();
        changed.note("told");
        let key = now(&changed).expect("it waits");
        assert!((0..KEYS_MAX).all(|n| changed.note(&n.to_string())));
        assert!(changed.note("told"), "it is noted at once");
        drop(key);
        assert!(!changed.note("another"), "there is no room for others");
        let all = all(&changed);
        assert_eq!((all.len(), all.last().map(String::as_str)), (KEYS_MAX + 1, Some("told")));
        assert_eq!(changed.state().bytes, 0);
    }

    #[test]
    fn what_can_wait_outside_leaves_room_to_what_changes() {
        let changed = Changed::default();
        let noted = (0..KEYS_MAX).filter(|n| changed.note_later(&n.to_string())).count();
        assert_eq!(noted, KEYS_MAX / 2);
        assert!(changed.note("now") && !changed.note_later("later"));
    }

    #[test]
    fn keys_are_not_all_looked_at_with_each_one_that_finds_no_room() {
        let changed = Changed::default();
        let then = Instant::now() + Duration::from_secs(60);
        changed.forget_before(then);
        changed.note("old");
        changed.forget_before(then + FORGET_PAUSE / 2);
        assert_eq!(changed.state().line.len(), 1);
        changed.forget_before(then + FORGET_PAUSE);
        assert!(changed.state().line.is_empty());
    }

    #[test]
    fn what_changed_last_before_a_time_is_forgotten() {
        let changed = Changed::default();
        changed.note("old");
        changed.note("again");
        let then = Instant::now() + Duration::from_nanos(1);
        while Instant::now() < then {}
        changed.note("again");
        changed.forget_before(then);
        assert_eq!(all(&changed), ["again"]);
        assert_eq!(changed.state().bytes, 0);
    }
}
