//! A provider's binary, in memory and sealed: what is executed is what was verified.

use std::{io, os::fd::OwnedFd};

/// A provider's binary in a sealed memory file, from which every process of it is executed.
#[derive(Debug)]
pub(crate) struct Image {
    file: OwnedFd,
}

impl Image {
    /// Copies `binary` into a memory file and seals it.
    pub(crate) fn seal(_binary: &[u8]) -> io::Result<Self> {
        unimplemented!()
    }
}
