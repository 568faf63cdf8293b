//! Where a link's migrations are: in a folder of the machine that its provider runs on, or in the link itself.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use wattle_core::link::Settings;

use super::Migration;

/// A link's setting for its migrations.
pub const MIGRATIONS: &str = "migrations";

/// The most migrations of a link.
const MIGRATIONS_MAX: usize = 1_000;

/// The most bytes of a migration.
const MIGRATION_LEN_MAX: usize = 4 * 1024 * 1024;

/// Digits of a migration's number, so that folders list them in their order.
const DIGITS: usize = 4;

/// What is said of a setting that is neither a path nor migrations: no more than this many characters of it.
const QUOTED_MAX: usize = 60;

/// Where a link's migrations are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In files like `0001_make_carts.sql` of a folder on the machine of the provider's host.
    Folder(PathBuf),
    /// In the setting: each begins behind a line like `-- 0001_make_carts.sql`.
    Text(String),
}

/// Why a link has no migrations that could be applied.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Relative to what, nobody could say: a provider's process has no folder that a user knows.
    #[error(
        "migrations: {0:?} is neither an absolute path on the machine of this provider's host nor text with lines like \"-- 0001_make_carts.sql\""
    )]
    Setting(String),
    /// The folder, or a file in it, cannot be read.
    #[error("migrations: {path}: {error}")]
    Io {
        /// Which.
        path: String,
        /// The system's reason.
        error: io::Error,
    },
    /// A name without a number.
    #[error("migrations: {0:?} is not named like 0001_make_carts.sql")]
    Name(String),
    /// Two of one number.
    #[error("migrations: {0:?} and {1:?} have the same number")]
    Twice(String, String),
    /// More than anybody reads.
    #[error("migrations: there are more than {MIGRATIONS_MAX}")]
    TooMany,
    /// Longer than anybody writes.
    #[error("migrations: {0:?} is longer than {MIGRATION_LEN_MAX} bytes")]
    TooLong(String),
    /// Bytes that are no text.
    #[error("migrations: {0:?} is not UTF-8 text")]
    NotText(String),
}

impl Source {
    /// What the link's setting says, if it has one. A folder is not looked into yet.
    pub fn from_settings(link: &Settings) -> Result<Option<Self>, SourceError> {
        let Some(value) = link.get(MIGRATIONS).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        if Path::new(value).is_absolute() && !value.contains('\n') {
            return Ok(Some(Self::Folder(value.into())));
        }
        if value.lines().any(|line| heading(line).is_some()) {
            return Ok(Some(Self::Text(value.clone())));
        }
        Err(SourceError::Setting(value.chars().take(QUOTED_MAX).collect()))
    }

    /// The migrations by number. Of a folder, files that do not end in `.sql` are not looked at. Blocks the thread.
    pub fn read(&self) -> Result<Vec<Migration>, SourceError> {
        let mut migrations = match self {
            Self::Folder(folder) => in_folder(folder)?,
            Self::Text(text) => in_text(text)?,
        };
        migrations.sort_by_key(|migration| migration.number);
        for two in migrations.windows(2) {
            if two[0].number == two[1].number {
                return Err(SourceError::Twice(two[0].name.clone(), two[1].name.clone()));
            }
        }
        Ok(migrations)
    }
}

fn in_folder(folder: &Path) -> Result<Vec<Migration>, SourceError> {
    let failed = |error| SourceError::Io { path: folder.display().to_string(), error };
    let mut migrations = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".sql") {
            add(&mut migrations, &name, read_file(&folder.join(&*name))?)?;
        }
    }
    Ok(migrations)
}

/// A file's bytes, or as many of a long one as show that it is too long.
fn read_file(path: &Path) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MIGRATION_LEN_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| SourceError::Io { path: path.display().to_string(), error })?;
    Ok(bytes)
}

fn in_text(text: &str) -> Result<Vec<Migration>, SourceError> {
    let mut migrations = Vec::new();
    let mut named: Option<(&str, usize)> = None;
    let mut place = 0;
    for line in text.split_inclusive('\n') {
        if let Some(name) = heading(line) {
            if let Some((name, begin)) = named {
                add(&mut migrations, name, text[begin..place].into())?;
            }
            named = Some((name, place + line.len()));
        } else if named.is_none() && !line.trim().is_empty() {
            return Err(SourceError::Setting(line.chars().take(QUOTED_MAX).collect()));
        }
        place += line.len();
    }
    if let Some((name, begin)) = named {
        add(&mut migrations, name, text[begin..].into())?;
    }
    Ok(migrations)
}

/// The name of the migration that begins behind this line, if one does.
fn heading(line: &str) -> Option<&str> {
    let name = line.strip_prefix("--")?.trim();
    number_of(name).map(|_| name)
}

fn add(migrations: &mut Vec<Migration>, name: &str, bytes: Vec<u8>) -> Result<(), SourceError> {
    let number = number_of(name).ok_or_else(|| SourceError::Name(name.to_owned()))?;
    if migrations.len() == MIGRATIONS_MAX {
        return Err(SourceError::TooMany);
    }
    if bytes.len() > MIGRATION_LEN_MAX {
        return Err(SourceError::TooLong(name.to_owned()));
    }
    // Whether a file ends with an empty line says nothing about its statements, and differs between files and what is pasted.
    let hash =
        Sha256::digest(bytes.trim_ascii_end()).iter().map(|byte| format!("{byte:02x}")).collect();
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => {
            migrations.push(Migration { number, name: name.to_owned(), hash, text });
            Ok(())
        }
        _ => Err(SourceError::NotText(name.to_owned())),
    }
}

fn number_of(name: &str) -> Option<u32> {
    let (number, rest) = name.split_once('_')?;
    let named = rest.len() > ".sql".len() && rest.ends_with(".sql");
    let digits = number.len() == DIGITS && number.bytes().all(|byte| byte.is_ascii_digit());
    if named && digits { number.parse().ok().filter(|number| *number > 0) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(value: &str) -> Result<Option<Source>, SourceError> {
        Source::from_settings(&[(MIGRATIONS.to_owned(), value.to_owned())].into())
    }

    fn names(source: &Source) -> Vec<String> {
        let migrations = source.read().expect("good migrations");
        migrations.into_iter().map(|migration| migration.name).collect()
    }

    #[test]
    fn a_name_begins_with_its_number() {
        assert_eq!(number_of("0012_add_prices.sql"), Some(12));
        for bad in [
            "12_a.sql",
            "0001.sql",
            "0001_.sql",
            "a_0001.sql",
            "+001_a.sql",
            "0000_a.sql",
            "0001_a",
        ] {
            assert_eq!(number_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn migrations_are_where_an_absolute_path_leads_or_in_the_link_and_nowhere_else() {
        assert_eq!(Source::from_settings(&Settings::new()).expect("none"), None);
        let folder = setting("/srv/cart/migrations").expect("a folder");
        assert_eq!(folder, Some(Source::Folder("/srv/cart/migrations".into())));
        for bad in ["migrations", "./migrations", "CREATE TABLE t (x INTEGER);", "-- 1_a.sql\n"] {
            assert!(matches!(setting(bad), Err(SourceError::Setting(_))), "{bad}");
        }
    }

    #[test]
    fn a_folder_is_read_in_the_order_of_its_numbers() {
        let dir = std::env::temp_dir().join(format!("wattle-migrations-{}", std::process::id()));
        fs::create_dir(&dir).expect("a folder");
        let write = |name: &str, text: &[u8]| fs::write(dir.join(name), text).expect("a file");
        for name in ["0010_c.sql", "0002_b.sql", "0001_a.sql", "README.md"] {
            write(name, name.as_bytes());
        }
        let source = Source::Folder(dir.clone());
        assert_eq!(names(&source), ["0001_a.sql", "0002_b.sql", "0010_c.sql"]);
        write("0002_again.sql", b"");
        assert!(matches!(source.read(), Err(SourceError::Twice(_, _))));
        for no_text in [&b"\xff"[..], b"SELECT\0"] {
            write("0002_again.sql", no_text);
            assert!(matches!(source.read(), Err(SourceError::NotText(_))));
        }
        write("last.sql", b"");
        assert!(source.read().is_err());
        fs::remove_dir_all(dir).expect("it is there");
        let gone = source.read().expect_err("no folder").to_string();
        assert!(gone.contains("wattle-migrations"), "{gone}");
    }

    #[test]
    fn a_text_says_where_each_begins_and_is_the_same_as_its_file() {
        let text =
            "\n-- 0001_a.sql\nCREATE TABLE a (x INTEGER);\n-- a comment\n--0002_b.sql\r\nSELECT 1;";
        let source = setting(text).expect("migrations").expect("some");
        let found = source.read().expect("good migrations");
        let texts: Vec<_> = found.iter().map(|migration| migration.text.as_str()).collect();
        assert_eq!(texts, ["CREATE TABLE a (x INTEGER);\n-- a comment\n", "SELECT 1;"]);
        assert_eq!(names(&source), ["0001_a.sql", "0002_b.sql"]);
        let as_file = Sha256::digest(texts[1]);
        assert!(found[1].hash.starts_with(&format!("{:02x}{:02x}", as_file[0], as_file[1])));
        let longer = Source::Text(format!("{text}\n\n")).read().expect("good migrations");
        assert_eq!(longer[1].hash, found[1].hash);
        let early = setting("CREATE TABLE t (x INTEGER);\n-- 0001_a.sql\n").expect("text");
        assert!(matches!(early.expect("some").read(), Err(SourceError::Setting(_))));
    }
}
