//! Says something that may happen thousands of times a second, but not that often.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Between two lines of a log about the same trouble.
const PAUSE: Duration = Duration::from_secs(10);

/// One kind of trouble of one link.
#[derive(Debug, Default)]
pub struct Burst {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    said: Option<Instant>,
    since: u64,
}

impl Burst {
    /// Counts one more, and gives `say` the number of all since it was last called, where it is time to.
    pub fn note(&self, say: impl FnOnce(u64)) {
        let count = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.since += 1;
            if state.said.is_some_and(|said| said.elapsed() < PAUSE) {
                return;
            }
            state.said = Some(Instant::now());
            std::mem::take(&mut state.since)
        };
        say(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_only_the_first_is_said_at_once() {
        let (burst, mut said) = (Burst::default(), Vec::new());
        for _ in 0..100 {
            burst.note(|count| said.push(count));
        }
        assert_eq!(said, [1]);
        burst.state.lock().expect("no panic").said = None;
        burst.note(|count| said.push(count));
        assert_eq!(said, [1, 100]);
    }
}
