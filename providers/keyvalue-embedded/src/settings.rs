//! Where stores lie, from the provider's and a link's settings.

use std::{collections::BTreeMap, path::PathBuf};

use wattle_core::{Name, NameError};

/// The provider's setting for the folder of its stores.
const DIR: &str = "dir";

/// The folder that the host keeps for this provider; it says so by itself.
const DATA_DIR: &str = "data-dir";

/// A link's setting: which of the provider's stores it is to.
pub(crate) const STORE: &str = "store";

/// The store of links that name none.
const DEFAULT_STORE: &str = "default";

/// The provider's settings, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    dir: PathBuf,
}

/// Why settings cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nobody says where stores are to lie.
    #[error("no folder for the stores: set dir in the provider's config")]
    NoDir,
    /// The link's store is not a name, so it could lead out of the folder.
    #[error("store: {0}")]
    Store(#[from] NameError),
}

impl Settings {
    /// From the provider's config: its `dir`, else the host's folder for it.
    pub fn new(config: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let dir = config.get(DIR).or_else(|| config.get(DATA_DIR)).filter(|dir| !dir.is_empty());
        Ok(Self { dir: dir.ok_or(SettingsError::NoDir)?.into() })
    }

    /// The file of the store that a link is to.
    pub fn file(&self, link: &BTreeMap<String, String>) -> Result<PathBuf, SettingsError> {
        let store: Name = link.get(STORE).map_or(DEFAULT_STORE, String::as_str).parse()?;
        Ok(self.dir.join(format!("{store}.redb")))
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
        for (config, file) in
            [(both, "/mine/default.redb"), (config(&[("data-dir", "/host")]), "/host/default.redb")]
        {
            let settings = Settings::new(&config).expect("a folder");
            assert_eq!(settings.file(&BTreeMap::new()), Ok(file.into()));
        }
        assert_eq!(Settings::new(&config(&[])), Err(SettingsError::NoDir));
    }

    #[test]
    fn a_store_stays_in_its_folder() {
        let settings = Settings::new(&config(&[("dir", "/mine")])).expect("a folder");
        assert_eq!(settings.file(&config(&[("store", "carts")])), Ok("/mine/carts.redb".into()));
        for bad in ["../other", "/etc/passwd", "", "a.b", "a/b"] {
            assert!(settings.file(&config(&[("store", bad)])).is_err(), "{bad:?}");
        }
    }
}
