//! Tests that measure have the machine for themselves; all others share it.

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::const_new(());

/// Leave to use the machine, given back on drop.
pub enum Turn {
    /// With other tests.
    Shared {
        /// Held for as long.
        _guard: RwLockReadGuard<'static, ()>,
    },
    /// With none.
    Alone {
        /// Held for as long.
        _guard: RwLockWriteGuard<'static, ()>,
    },
}

impl Turn {
    /// Waits until nobody measures.
    pub async fn shared() -> Self {
        Self::Shared { _guard: MACHINE.read().await }
    }

    /// Waits until nobody does anything.
    pub async fn alone() -> Self {
        Self::Alone { _guard: MACHINE.write().await }
    }
}
