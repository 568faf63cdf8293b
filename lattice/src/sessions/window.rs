//! Which counters of a session were seen: each passes once, in any order, as long as it is not far behind.

/// How far behind the newest a counter may be: NATS keeps the order of one publisher, so more than a few is not its doing.
const WINDOW: u64 = 1_024;
const WORDS: usize = WINDOW as usize / 64;

/// Why a counter does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stale {
    /// It was seen before.
    Repeated,
    /// It is so far behind that nobody remembers.
    Late,
}

/// The counters seen so far. The first is 1.
#[derive(Debug, Default)]
pub(super) struct Window {
    newest: u64,
    seen: [u64; WORDS],
}

impl Window {
    /// Whether `counter` may pass; noted only by [`Window::note`], once its message is known to be genuine.
    pub(super) fn check(&self, counter: u64) -> Result<(), Stale> {
        if counter > self.newest {
            return Ok(());
        }
        if counter == 0 || self.newest - counter >= WINDOW {
            return Err(Stale::Late);
        }
        let (word, bit) = place(counter);
        if self.seen[word] & bit == 0 { Ok(()) } else { Err(Stale::Repeated) }
    }

    /// Notes a counter that passed.
    pub(super) fn note(&mut self, counter: u64) {
        if counter > self.newest {
            if counter - self.newest >= WINDOW {
                self.seen = [0; WORDS];
            } else {
                for skipped in self.newest + 1..counter {
                    let (word, bit) = place(skipped);
                    self.seen[word] &= !bit;
                }
            }
            self.newest = counter;
        }
        let (word, bit) = place(counter);
        self.seen[word] |= bit;
    }
}

fn place(counter: u64) -> (usize, u64) {
    let at = counter % WINDOW;
    ((at / 64) as usize, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn pass(window: &mut Window, counter: u64) -> Result<(), Stale> {
        window.check(counter)?;
        window.note(counter);
        Ok(())
    }

    #[test]
    fn each_counter_passes_once_in_any_order_within_the_window() {
        let mut window = Window::default();
        for counter in [1, 2, 5, 4, 3, 1_000, 999, 2_000] {
            assert_eq!(pass(&mut window, counter), Ok(()), "{counter}");
            assert_eq!(pass(&mut window, counter), Err(Stale::Repeated), "{counter}");
        }
        assert_eq!(pass(&mut window, 2_000 - WINDOW), Err(Stale::Late));
        assert_eq!(pass(&mut window, 2_000 - WINDOW + 1), Ok(()));
        assert_eq!(pass(&mut window, 0), Err(Stale::Late));
        assert_eq!(pass(&mut window, u64::MAX), Ok(()));
        assert_eq!(pass(&mut window, u64::MAX), Err(Stale::Repeated));
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set_of_all_that_was_seen(steps in prop::collection::vec(1_u64..4_000, 1..400)) {
            let mut window = Window::default();
            let mut seen = BTreeSet::new();
            for counter in steps {
                let newest = seen.last().copied().unwrap_or(0);
                let expected = if counter <= newest && newest - counter >= WINDOW {
                    Err(Stale::Late)
                } else if seen.contains(&counter) {
                    Err(Stale::Repeated)
                } else {
                    Ok(())
                };
                prop_assert_eq!(pass(&mut window, counter), expected);
                if expected.is_ok() {
                    seen.insert(counter);
                }
            }
        }
    }
}
