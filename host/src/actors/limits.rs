//! What one instance may use, held to by wasmtime's store.

use wasmtime::ResourceLimiter;

use super::engine::{MEMORY_BYTES_MAX, TABLE_ELEMENTS_MAX};

/// Linear memory of one instance unless the actor's limits say otherwise.
pub(crate) const MEMORY_BYTES_DEFAULT: usize = 256 << 20;

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
        Self { memory_max: memory_max.min(MEMORY_BYTES_MAX), memory_used: 0, refused: None }
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
    fn memories_of_one_instance_count_together() {
        let mut limits = InstanceLimits::new(100);
        assert!(limits.memory_growing(0, 60, None).expect("counted"));
        assert!(!limits.memory_growing(0, 60, None).expect("counted"));
        assert!(limits.memory_growing(60, 100, None).expect("counted"));
        assert_eq!(limits.refused(), Some(Refused::Memory { limit_bytes: 100 }));
    }
}
