//! A provider's binary, in memory and sealed: what is executed is what was verified.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsRawFd, OwnedFd},
    path::PathBuf,
};

use rustix::{
    fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create},
    io::Errno,
};

/// A provider's binary in a sealed memory file, from which each of its processes is executed.
///
/// No path leads to it that another process could write to, and nobody can change it any more, this host included.
#[derive(Debug)]
pub(crate) struct Image {
    file: OwnedFd,
}

impl Image {
    /// Copies `binary` into a memory file and seals it.
    pub(crate) fn seal(binary: &[u8]) -> io::Result<Self> {
        let mut file = File::from(executable_memory_file()?);
        file.write_all(binary)?;
        let all = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&file, all)?;
        Ok(Self { file: file.into() })
    }

    /// Where this process, and a child of it before it executes something, finds the file.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}

/// Kernels since 6.3 want to be told that it will be executed; older ones refuse the flag.
fn executable_memory_file() -> Result<OwnedFd, Errno> {
    const NAME: &str = "wattle-provider";
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(NAME, flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => memfd_create(NAME, flags),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_image_cannot_be_changed() {
        let image = Image::seal(b"binary").expect("sealed");
        let opened = File::options().write(true).open(image.path());
        let written = opened.and_then(|mut file| file.write_all(b"hostile"));
        assert!(written.is_err());
        assert_eq!(std::fs::read(image.path()).expect("readable"), b"binary");
        let truncated =
            File::options().write(true).open(image.path()).and_then(|file| file.set_len(1));
        assert!(truncated.is_err());
    }
}
