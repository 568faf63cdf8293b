//! Settings of actors, providers and links: config records and values in order, secrets read where they are used.

use std::{collections::BTreeMap, fs, path::PathBuf};

use wattle_claims::RecordKey;
use wattle_core::{
    AccountKey, Name,
    link::{ConfigValue, Settings},
};

use crate::records::{Kept, RecordBook};

/// The most bytes of a secret's file.
const SECRET_LEN_MAX: u64 = 64 * 1024;

/// Why settings cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(
        "there is no config {name} of account {account}; put it with: wattle config put {name} KEY=VALUE"
    )]
    Config { name: Name, account: AccountKey },
    #[error("the secret {0} is not in this host's --secrets-dir")]
    Secret(Name),
    #[error("this host has no --secrets-dir, so the secret {0} cannot be read")]
    SecretsDir(Name),
}

/// Reads `{secret: NAME}` from one file per secret, and nowhere else.
#[derive(Clone, Debug)]
pub(crate) struct Secrets(Option<PathBuf>);

impl Secrets {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    fn read(&self, name: &Name) -> Result<String, SettingsError> {
        let folder = self.0.as_ref().ok_or_else(|| SettingsError::SecretsDir(name.clone()))?;
        let missing = || SettingsError::Secret(name.clone());
        // A name has no slash and no dot, so it stays in the folder.
        let path = folder.join(name.as_str());
        let fits =
            fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() <= SECRET_LEN_MAX);
        let text = fits.then(|| fs::read_to_string(path).ok()).flatten().ok_or_else(missing)?;
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    fn value(&self, value: &ConfigValue) -> Result<String, SettingsError> {
        match value {
            ConfigValue::Plain(text) => Ok(text.clone()),
            ConfigValue::Secret { secret } => self.read(secret),
        }
    }
}

/// Resolves the config records `named` of `account`, and then `values`, which win.
pub(crate) fn resolve(
    named: &[Name],
    values: &BTreeMap<String, ConfigValue>,
    account: &AccountKey,
    book: &RecordBook,
    secrets: &Secrets,
) -> Result<Settings, SettingsError> {
    let mut settings = Settings::new();
    for name in named {
        for (key, value) in config(name, account, book)? {
            settings.insert(key.clone(), secrets.value(value)?);
        }
    }
    for (key, value) in values {
        settings.insert(key.clone(), secrets.value(value)?);
    }
    Ok(settings)
}

/// One config record's values, as they were signed.
pub(crate) fn config<'a>(
    name: &Name,
    account: &AccountKey,
    book: &'a RecordBook,
) -> Result<&'a BTreeMap<String, ConfigValue>, SettingsError> {
    let key = RecordKey::Config { account: account.clone(), name: name.clone() };
    let found = book.get(&key).and_then(|entry| match &entry.record {
        Kept::Config(record) => record.body.value.as_ref(),
        _ => None,
    });
    found.ok_or_else(|| SettingsError::Config { name: name.clone(), account: account.clone() })
}
