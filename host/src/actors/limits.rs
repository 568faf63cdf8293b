//! What one instance may use: what its actor asked for, and what wasmtime's store holds it to.

use std::time::Duration;

use wasmtime::ResourceLimiter;
use wattle_core::control::ActorLimits;

use super::{
    ActorError,
    engine::{MEMORY_BYTES_MAX, TABLE_ELEMENTS_MAX},
};

/// Linear memory of one instance unless the actor's limits say otherwise.
const MEMORY_BYTES_DEFAULT: usize = 256 << 20;

/// How long a call may take up to the head of its response, unless the actor's limits say otherwise.
const DEADLINE_DEFAULT: Duration = Duration::from_secs(30);

/// The most that an actor's limits may ask for, as manifests say (`wadm/src/manifest/component.rs`).
const DEADLINE_MAX: Duration = Duration::from_secs(600);

/// Whether an actor may ask for this: one that was given less would not know.
///
/// # Errors
/// What there is less of.
pub(crate) fn check(limits: &ActorLimits) -> Result<(), ActorError> {
    if let Some(asked) = limits.memory_bytes.filter(|bytes| *bytes > MEMORY_BYTES_MAX as u64) {
        let most = MEMORY_BYTES_MAX >> 20;
        let text = format!("{asked} bytes of memory: an instance has up to {most} MiB");
        return Err(ActorError::TooMuch(text));
    }
    let deadline = limits.deadline_ms.map(|ms| Duration::from_millis(ms.into()));
    if let Some(asked) = deadline.filter(|deadline| *deadline > DEADLINE_MAX) {
        let most = DEADLINE_MAX.as_secs();
        let text = format!("a deadline of {asked:?}: a call has up to {most} s");
        return Err(ActorError::TooMuch(text));
    }
    Ok(())
}

/// Linear memory of one instance. What was deployed, or ran, when hosts did not refuse it, has as much as there is.
pub(super) fn memory_bytes(limits: &ActorLimits) -> usize {
    let asked = limits.memory_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    asked.unwrap_or(MEMORY_BYTES_DEFAULT).min(MEMORY_BYTES_MAX)
}

/// How long a call may take up to the head of its response; more is as with memory.
pub(super) fn deadline(limits: &ActorLimits) -> Duration {
    let asked = limits.deadline_ms.map(|ms| Duration::from_millis(ms.into()));
    asked.unwrap_or(DEADLINE_DEFAULT).min(DEADLINE_MAX)
}

/// Counts one instance's memory and tables, and remembers what it was refused.
#[derive(Debug)]
pub(crate) struct InstanceLimits {
    memory_max: usize,
    memory_used: usize,
    refused: Option<Refused>,
}

/// What an instance asked for and did not get. Guests mostly abort on it, and the trap alone would not say why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Memory { limit_bytes: usize },
    Table { limit_elements: usize },
}

impl InstanceLimits {
    pub(crate) fn new(memory_max: usize) -> Self {
        Self { memory_max, memory_used: 0, refused: None }
    }

    pub(crate) fn refused(&self) -> Option<Refused> {
        self.refused
    }
}

impl ResourceLimiter for InstanceLimits {
    /// All memories of an instance count together: many small ones are no way around the limit.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.memory_used.saturating_add(desired.saturating_sub(current));
        let fits = used <= self.memory_max;
        if fits {
            self.memory_used = used;
        } else {
            self.refused = Some(Refused::Memory { limit_bytes: self.memory_max });
        }
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= TABLE_ELEMENTS_MAX;
        if !fits {
            self.refused = Some(Refused::Table { limit_elements: TABLE_ELEMENTS_MAX });
        }
        Ok(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_gets_what_it_asks_for_or_is_told_how_much_there_is() {
        let memory = |bytes| ActorLimits { memory_bytes: Some(bytes), ..ActorLimits::default() };
        let time = |ms| ActorLimits { deadline_ms: Some(ms), ..ActorLimits::default() };
        for all in [memory(1 << 30), time(600_000), ActorLimits::default()] {
            check(&all).expect("that much there is");
        }
        for (more, most) in [(memory((1 << 30) + 1), "1024 MiB"), (time(600_001), "600 s")] {
            let refused = check(&more).expect_err("more than that").to_string();
            assert!(refused.contains(most), "{refused}");
            // One that ran before that was looked at runs on.
            assert!(memory_bytes(&more) <= 1 << 30 && deadline(&more) <= DEADLINE_MAX);
        }
        assert_eq!(deadline(&ActorLimits::default()), DEADLINE_DEFAULT);
    }

    #[test]
    fn memories_of_one_instance_count_together() {
        let mut limits = InstanceLimits::new(100);
        assert!(limits.memory_growing(0, 60, None).expect("counted"));
        assert!(!limits.memory_growing(0, 60, None).expect("counted"));
        assert!(limits.memory_growing(60, 100, None).expect("counted"));
        assert_eq!(limits.refused(), Some(Refused::Memory { limit_bytes: 100 }));
    }
}
