//! A folder of migrations: `0001_make_carts.sql`, `0002_add_prices.sql` …

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

/// The most migrations of a folder.
const MIGRATIONS_MAX: usize = 1_000;

/// The most bytes of a migration.
const MIGRATION_LEN_MAX: u64 = 4 * 1024 * 1024;

/// Digits of a migration's number, so that folders list them in their order.
const DIGITS: usize = 4;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Migration {
    pub(super) number: u32,
    /// The file's name.
    pub(super) name: String,
    /// SHA-256 of its bytes, in hex.
    pub(super) hash: String,
    pub(super) text: String,
}

/// What is wrong with a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It, or a file in it, cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// The system's reason.
        error: io::Error,
    },
    /// A file's name has no number.
    #[error("{0:?} is not named like 0001_make_carts.sql")]
    Name(String),
    /// Two files of one number.
    #[error("{0:?} and {1:?} have the same number")]
    Twice(String, String),
    /// More files than anybody reads.
    #[error("more than {MIGRATIONS_MAX} files")]
    TooMany,
    /// A file longer than anybody writes.
    #[error("{0:?} is longer than {MIGRATION_LEN_MAX} bytes")]
    TooLong(String),
    /// A file with bytes that are no text.
    #[error("{0:?} is not UTF-8 text")]
    NotText(String),
}

/// The folder's migrations by number. Files that do not end in `.sql` are not looked at.
pub(super) fn read(folder: &Path) -> Result<Vec<Migration>, FolderError> {
    let failed = |error| FolderError::Io { path: folder.display().to_string(), error };
    let mut migrations = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if !name.ends_with(".sql") {
            continue;
        }
        if migrations.len() == MIGRATIONS_MAX {
            return Err(FolderError::TooMany);
        }
        migrations.push(read_file(folder, &name)?);
    }
    migrations.sort_by_key(|migration| migration.number);
    for two in migrations.windows(2) {
        if two[0].number == two[1].number {
            return Err(FolderError::Twice(two[0].name.clone(), two[1].name.clone()));
        }
    }
    Ok(migrations)
}

fn read_file(folder: &Path, name: &str) -> Result<Migration, FolderError> {
    let number = number_of(name).ok_or_else(|| FolderError::Name(name.to_owned()))?;
    let path = folder.join(name);
    let mut bytes = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(MIGRATION_LEN_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| FolderError::Io { path: path.display().to_string(), error })?;
    if bytes.len() as u64 > MIGRATION_LEN_MAX {
        return Err(FolderError::TooLong(name.to_owned()));
    }
    let hash = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let text = String::from_utf8(bytes).map_err(|_| FolderError::NotText(name.to_owned()))?;
    Ok(Migration { number, name: name.to_owned(), hash, text })
}

fn number_of(name: &str) -> Option<u32> {
    let (number, rest) = name.split_once('_')?;
    let named = rest.len() > ".sql".len();
    let digits = number.len() == DIGITS && number.bytes().all(|byte| byte.is_ascii_digit());
    if named && digits { number.parse().ok().filter(|number| *number > 0) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_with_its_number() {
        assert_eq!(number_of("0012_add_prices.sql"), Some(12));
        for bad in ["12_a.sql", "0001.sql", "0001_.sql", "a_0001.sql", "+001_a.sql", "0000_a.sql"] {
            assert_eq!(number_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_its_numbers() {
        let dir = tempfile::tempdir().expect("a folder");
        let write =
            |name: &str, text: &[u8]| fs::write(dir.path().join(name), text).expect("a file");
        for name in ["0010_c.sql", "0002_b.sql", "0001_a.sql", "README.md"] {
            write(name, name.as_bytes());
        }
        let found = read(dir.path()).expect("good names");
        let names: Vec<_> = found.iter().map(|migration| migration.name.as_str()).collect();
        assert_eq!(names, ["0001_a.sql", "0002_b.sql", "0010_c.sql"]);

        write("0002_again.sql", b"");
        assert!(matches!(read(dir.path()), Err(FolderError::Twice(_, _))));
        write("0002_again.sql", b"\xff");
        assert!(matches!(read(dir.path()), Err(FolderError::NotText(_))));
        write("last.sql", b"");
        assert!(read(dir.path()).is_err());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = read(Path::new("/nowhere/migrations")).expect_err("no folder").to_string();
        assert!(error.contains("/nowhere/migrations"), "{error}");
    }
}
