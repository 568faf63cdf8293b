//! Files of the host's own.

use std::{io, path::Path};

use tempfile::NamedTempFile;

/// Writes a file so that a crash leaves the old one or the new one, never half of it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use io::Write;
    let folder = path.parent().ok_or_else(|| io::Error::other("a file in a folder"))?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
