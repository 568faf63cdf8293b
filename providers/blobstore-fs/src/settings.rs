//! Where containers lie, from the provider's and a link's settings.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The setting for the folder of the containers, of a link or of the provider. Upper and lower case are the same.
const ROOT: &str = "root";

/// The folder that the host keeps for this provider; it says so by itself.
const DATA_DIR: &str = "data-dir";

/// The folder of the containers in there.
const BLOBS: &str = "blobs";

/// The provider's settings, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    root: Option<PathBuf>,
}

/// Why settings cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nobody says where containers are to lie.
    #[error(
        "no folder for the containers: set root in the link's target config or the provider's config"
    )]
    NoRoot,
    /// The folder depends on where the process happens to be.
    #[error("root {0:?} is not an absolute path")]
    Relative(String),
}

impl Settings {
    /// From the provider's config: its `root`, else a folder in the host's for it.
    pub fn new(config: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let own = setting(config, DATA_DIR).map(|dir| Path::new(dir).join(BLOBS));
        Ok(Self { root: root(config)?.or(own) })
    }

    /// The folder that a link's containers lie in.
    pub fn root(&self, link: &BTreeMap<String, String>) -> Result<PathBuf, SettingsError> {
        root(link)?.or_else(|| self.root.clone()).ok_or(SettingsError::NoRoot)
    }
}

fn root(settings: &BTreeMap<String, String>) -> Result<Option<PathBuf>, SettingsError> {
    let Some(root) = setting(settings, ROOT) else { return Ok(None) };
    match Path::new(root).is_absolute() {
        true => Ok(Some(root.into())),
        false => Err(SettingsError::Relative(root.to_owned())),
    }
}

fn setting<'a>(settings: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let found = settings.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn the_link_says_where_and_else_the_provider_and_else_the_host() {
        let all = config(&[("data-dir", "/host"), ("ROOT", "/provider")]);
        let settings = Settings::new(&all).expect("a folder");
        assert_eq!(settings.root(&config(&[("root", "/link")])), Ok("/link".into()));
        assert_eq!(settings.root(&config(&[])), Ok("/provider".into()));
        let settings = Settings::new(&config(&[("data-dir", "/host")])).expect("a folder");
        assert_eq!(settings.root(&config(&[("root", "")])), Ok("/host/blobs".into()));
    }

    #[test]
    fn a_folder_that_nobody_named_or_that_moves_is_none() {
        let settings = Settings::new(&config(&[])).expect("a link may still say");
        assert_eq!(settings.root(&config(&[])), Err(SettingsError::NoRoot));
        let relative = settings.root(&config(&[("root", "blobs")]));
        assert_eq!(relative, Err(SettingsError::Relative("blobs".into())));
    }
}
