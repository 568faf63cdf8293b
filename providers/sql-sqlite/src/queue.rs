//! Calls that wait for a thread, link by link in turns: whoever asks for much waits for himself.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use wattle_sql::Error;

use crate::call::Call;

/// Calls of one link that wait.
const CALLS_MAX: usize = 512;

/// Memory that one link's waiting calls take, in bytes: several of the largest.
const LINK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Memory that all waiting calls of a queue take, in bytes.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// A queue with its threads' numbers.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    links: BTreeMap<u64, Line>,
    /// Links that have calls, the next one's turn first.
    turns: VecDeque<u64>,
    calls: usize,
    bytes: usize,
    threads: usize,
    idle: usize,
    closed: bool,
}

#[derive(Debug, Default)]
struct Line {
    calls: VecDeque<Call>,
    bytes: usize,
}

impl Queue {
    /// Puts a call at the end of its link's line. Past a limit it is refused at once.
    pub(crate) fn push(&self, call: Call) -> Result<(), Error> {
        let (link, len) = (call.rule.link(), call.len());
        let mut state = self.lock();
        let full = state
            .links
            .get(&link)
            .is_some_and(|line| line.calls.len() >= CALLS_MAX || line.bytes + len > LINK_BYTES_MAX);
        if full || state.bytes + len > BYTES_MAX || state.closed {
            return Err(Error::Overloaded("too many calls wait for this database".to_owned()));
        }
        let line = state.links.entry(link).or_default();
        let first = line.calls.is_empty();
        line.calls.push_back(call);
        line.bytes += len;
        if first {
            state.turns.push_back(link);
        }
        state.bytes += len;
        state.calls += 1;
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Whether a thread more is wanted and allowed. It counts from now on.
    pub(crate) fn hire(&self, max: usize) -> bool {
        let mut state = self.lock();
        let wanted = state.calls > state.idle && state.threads < max && !state.closed;
        if wanted {
            state.threads += 1;
        }
        wanted
    }

    /// The next call. None ends the thread that asked: nothing came for so long, or nothing will. It counts no more then.
    pub(crate) fn next(&self, patience: Duration) -> Option<Call> {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            if let Some(call) = state.take() {
                return Some(call);
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.closed || left.is_zero() {
                state.threads = state.threads.saturating_sub(1);
                return None;
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
        }
    }

    /// The next call, if one waits.
    pub(crate) fn take(&self) -> Option<Call> {
        self.lock().take()
    }

    /// Whether nothing waits and nothing will.
    pub(crate) fn is_over(&self) -> bool {
        let state = self.lock();
        state.closed && state.calls == 0
    }

    /// A thread that counted could not be started.
    pub(crate) fn dismiss(&self) {
        let mut state = self.lock();
        state.threads = state.threads.saturating_sub(1);
    }

    /// Takes no more. Threads end when the queue is empty.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Call> {
        let link = self.turns.pop_front()?;
        let line = self.links.get_mut(&link)?;
        let call = line.calls.pop_front()?;
        let len = call.len();
        line.bytes -= len;
        self.bytes -= len;
        self.calls -= 1;
        if line.calls.is_empty() {
            self.links.remove(&link);
        } else {
            self.turns.push_back(link);
        }
        Some(call)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use wattle_sql::{Allowance, Scope, Statement};

    use super::*;
    use crate::{call::Work, guard::Rule};

    fn call(link: u64, text: &str) -> Call {
        let rule = Arc::new(Rule::of_link(link, Scope::default()));
        let allowance = Allowance { until: Instant::now(), rows_max: 1, result_len_max: 1 };
        Call::new(Work::Execute(Statement::new(text, vec![])), rule, allowance).0
    }

    #[test]
    fn links_take_turns_and_each_keeps_its_order() {
        let queue = Queue::default();
        for (link, text) in [(1, "a"), (1, "b"), (1, "c"), (2, "d"), (3, "e")] {
            queue.push(call(link, text)).expect("room");
        }
        let order = std::iter::from_fn(|| queue.take()).map(|call| match call.work {
            Work::Execute(statement) => statement.text,
            other => panic!("{other:?}"),
        });
        assert_eq!(order.collect::<Vec<_>>(), ["a", "d", "e", "b", "c"]);
    }

    #[test]
    fn a_link_that_floods_is_refused_and_others_are_not() {
        let queue = Queue::default();
        for _ in 0..CALLS_MAX {
            queue.push(call(1, "x")).expect("room");
        }
        assert!(matches!(queue.push(call(1, "x")), Err(Error::Overloaded(_))));
        queue.push(call(2, "x")).expect("room for another link");
    }

    #[test]
    fn a_thread_is_hired_for_each_call_that_no_idle_one_takes() {
        let queue = Queue::default();
        assert!(!queue.hire(2), "nothing waits");
        queue.push(call(1, "x")).expect("room");
        assert!(queue.hire(2) && queue.hire(2) && !queue.hire(2));
    }
}
