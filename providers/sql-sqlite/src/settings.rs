//! Where databases lie and what they may take, from the provider's and a link's settings.

use std::{collections::BTreeMap, path::PathBuf};

use wattle_core::{Name, NameError};

/// The provider's setting for the folder of its databases.
const DIR: &str = "dir";

/// The folder that the host keeps for this provider; it says so by itself.
const DATA_DIR: &str = "data-dir";

/// The provider's setting for how many bytes each database's file may grow to.
const MAX_DATABASE_BYTES: &str = "max_database_bytes";

/// A link's setting: which of the provider's databases it is to.
const DATABASE: &str = "database";

/// The database of links that name none.
const DEFAULT_DATABASE: &str = "default";

/// How many bytes a database's file may grow to where nobody says: a device's disk has other users.
const DATABASE_LEN_DEFAULT: u64 = 10 * 1024 * 1024 * 1024;

/// The least that `max_database_bytes` may be: a few tables.
const DATABASE_LEN_MIN: u64 = 1024 * 1024;

/// The provider's settings, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    dir: PathBuf,
    database_len_max: u64,
}

/// Why settings cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nobody says where databases are to lie.
    #[error("no folder for the databases: set dir in the provider's config")]
    NoDir,
    /// The link's database is not a name, so it could lead out of the folder.
    #[error("database: {0}")]
    Database(#[from] NameError),
    /// Not a number of bytes.
    #[error("max_database_bytes: {0:?} is not a whole number of at least {DATABASE_LEN_MIN}")]
    DatabaseLen(String),
}

impl Settings {
    /// From the provider's config: its `dir`, else the host's folder for it.
    pub fn new(config: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let dir = config.get(DIR).or_else(|| config.get(DATA_DIR)).filter(|dir| !dir.is_empty());
        let database_len_max =
            config.get(MAX_DATABASE_BYTES).map_or(Ok(DATABASE_LEN_DEFAULT), |text| {
                let len = text.parse().ok().filter(|len| *len >= DATABASE_LEN_MIN);
                len.ok_or_else(|| SettingsError::DatabaseLen(text.clone()))
            })?;
        Ok(Self { dir: dir.ok_or(SettingsError::NoDir)?.into(), database_len_max })
    }

    /// The file of the database that a link is to.
    pub fn file(&self, link: &BTreeMap<String, String>) -> Result<PathBuf, SettingsError> {
        let name: Name = link.get(DATABASE).map_or(DEFAULT_DATABASE, String::as_str).parse()?;
        Ok(self.dir.join(format!("{name}.sqlite")))
    }

    /// How many bytes each database's file may grow to.
    pub fn database_len_max(&self) -> u64 {
        self.database_len_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn the_folder_is_the_operators_choice_and_else_the_hosts() {
        let both = config(&[("data-dir", "/host"), ("dir", "/mine")]);
        let hosts = config(&[("data-dir", "/host")]);
        for (config, file) in [(both, "/mine/default.sqlite"), (hosts, "/host/default.sqlite")] {
            let settings = Settings::new(&config).expect("a folder");
            assert_eq!(settings.file(&BTreeMap::new()), Ok(file.into()));
        }
        assert_eq!(Settings::new(&config(&[])), Err(SettingsError::NoDir));
    }

    #[test]
    fn a_database_stays_in_its_folder() {
        let settings = Settings::new(&config(&[("dir", "/mine")])).expect("a folder");
        let named = |name| settings.file(&config(&[("database", name)]));
        assert_eq!(named("carts"), Ok("/mine/carts.sqlite".into()));
        for bad in ["../other", "/etc/passwd", "", "a.b", "a/b", ":memory:", "file:x"] {
            assert!(named(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_file_s_limit_is_a_number_that_leaves_room_for_something() {
        let settings = |len| Settings::new(&config(&[("dir", "/d"), ("max_database_bytes", len)]));
        assert_eq!(settings("2000000").map(|s| s.database_len_max()), Ok(2_000_000));
        for bad in ["0", "1GB", "-1", "1000"] {
            assert_eq!(settings(bad), Err(SettingsError::DatabaseLen(bad.into())));
        }
    }
}
