//! The one form of tar that we write and read: plain files in ustar headers whose every byte is determined by name and size, zero
//! padding, two zero blocks at the end, and nothing else. So an artifact has one spelling, and none of tar's other features
//! (links, paths, long names, sparse files) can be reached.

use tar::{EntryType, Header};

use super::{ARTIFACT_LEN_MAX, ArtifactError};

/// Bytes of a header, and the unit that files are padded to.
const BLOCK_LEN: usize = 512;

/// Zero blocks that end an archive.
const END_LEN: usize = 2 * BLOCK_LEN;

/// Where a header has the file's size: 11 octal digits and a zero byte.
const SIZE: std::ops::Range<usize> = 124..135;

/// The most files: claims, and a binary for each platform there may ever be.
const FILES_MAX: usize = 64;

/// A file's name and its bytes.
pub(super) type File<'a> = (&'a str, &'a [u8]);

/// The archive of these files.
pub(super) fn write(files: &[File<'_>]) -> Result<Vec<u8>, ArtifactError> {
    let padded = |bytes: &[u8]| bytes.len().next_multiple_of(BLOCK_LEN);
    let len = files.iter().map(|(_, bytes)| BLOCK_LEN + padded(bytes)).sum::<usize>() + END_LEN;
    if len > ARTIFACT_LEN_MAX {
        return Err(ArtifactError::TooLarge { len });
    }
    if files.len() > FILES_MAX {
        return Err(malformed(format!("more than {FILES_MAX} files")));
    }
    let mut archive = Vec::with_capacity(len);
    for (name, bytes) in files {
        let header =
            header(name, bytes.len()).ok_or_else(|| malformed("a name that is too long"))?;
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK_LEN), 0);
    }
    archive.resize(len, 0);
    Ok(archive)
}

/// The files of an archive, in its order.
pub(super) fn read(archive: &[u8]) -> Result<Vec<File<'_>>, ArtifactError> {
    if archive.len() > ARTIFACT_LEN_MAX {
        return Err(ArtifactError::TooLarge { len: archive.len() });
    }
    let mut files = Vec::new();
    let mut rest = archive;
    while rest.len() > END_LEN {
        if files.len() == FILES_MAX {
            return Err(malformed(format!("more than {FILES_MAX} files")));
        }
        let (file, behind) =
            next(rest).ok_or_else(|| malformed(format!("file {} is broken", files.len() + 1)))?;
        files.push(file);
        rest = behind;
    }
    if rest.len() == END_LEN && is_zero(rest) {
        Ok(files)
    } else {
        Err(malformed("it does not end in two zero blocks"))
    }
}

/// The first file of an archive, and what is behind it. None unless it is written just as we would write it.
fn next(archive: &[u8]) -> Option<(File<'_>, &[u8])> {
    let (found, rest) = archive.split_at_checked(BLOCK_LEN)?;
    let name_len = found.iter().position(|byte| *byte == 0)?;
    let name = std::str::from_utf8(&found[..name_len]).ok()?;
    let size = usize::from_str_radix(std::str::from_utf8(&found[SIZE]).ok()?, 8).ok()?;
    if header(name, size)?.as_bytes() != found {
        return None;
    }
    let (file, rest) = rest.split_at_checked(size)?;
    let (padding, rest) = rest.split_at_checked(size.next_multiple_of(BLOCK_LEN) - size)?;
    is_zero(padding).then_some(((name, file), rest))
}

/// The only header that a file of this name and size has. None if the name does not fit.
fn header(name: &str, size: usize) -> Option<Header> {
    let mut header = Header::new_ustar();
    header
        .as_mut_bytes()
        .get_mut(..name.len())
        .filter(|_| is_plain(name))?
        .copy_from_slice(name.as_bytes());
    header.set_size(u64::try_from(size).ok()?);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Some(header)
}

/// A file's name: no path, and short enough for a header's first field.
fn is_plain(name: &str) -> bool {
    const NAME_LEN_MAX: usize = 99;
    (1..=NAME_LEN_MAX).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn malformed(why: impl Into<String>) -> ArtifactError {
    ArtifactError::Malformed(why.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn files_survive_the_trip(
            files in prop::collection::vec(("[a-z_][a-z0-9_-]{0,20}", prop::collection::vec(any::<u8>(), 0..2_000)), 0..5)
        ) {
            let files: Vec<File<'_>> =
                files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
            let archive = write(&files).expect("small");
            prop_assert_eq!(read(&archive).expect("our own"), files);
        }

        #[test]
        fn an_archive_has_one_spelling(at: prop::sample::Index, bit in 0..8_u8) {
            let archive = write(&[("a", b"some bytes"), ("b", &[7; 600])]).expect("small");
            let mut changed = archive.clone();
            changed[at.index(archive.len())] ^= 1_u8 << bit;
            // Whatever is still taken is what we would write for it: there is no byte that means nothing.
            if let Ok(files) = read(&changed) {
                prop_assert_eq!(write(&files).expect("small"), changed);
            }
        }

        #[test]
        fn any_bytes_are_files_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..4_000)) {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn other_tools_can_list_it() {
        let archive =
            write(&[("claims.jwt", b"text"), ("linux-x86_64", &[1; 513])]).expect("small");
        let mut reader = tar::Archive::new(archive.as_slice());
        let listed: Vec<(String, u64)> = reader
            .entries()
            .expect("a tar")
            .map(|entry| {
                let entry = entry.expect("an entry");
                (entry.path().expect("a path").display().to_string(), entry.size())
            })
            .collect();
        assert_eq!(listed, [("claims.jwt".to_owned(), 4), ("linux-x86_64".to_owned(), 513)]);
    }

    #[test]
    fn names_that_are_paths_are_refused() {
        for bad in ["", "../x", "/etc/passwd", "a/b", ".", &"x".repeat(100)] {
            assert!(write(&[(bad, b"")]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_byte_too_many_or_too_few_is_refused() {
        let archive = write(&[("a", b"some bytes")]).expect("small");
        for len in 0..archive.len() {
            assert!(read(&archive[..len]).is_err(), "{len}");
        }
        assert!(read(&[archive.as_slice(), &[0]].concat()).is_err());
        assert!(read(&[archive.as_slice(), &[0; BLOCK_LEN]].concat()).is_err());
        assert!(read(&[archive.as_slice(), &archive].concat()).is_err());
    }
}
