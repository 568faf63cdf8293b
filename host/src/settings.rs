//! Settings of actors, providers and links: config records and values in order, secrets read where they are used.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::PathBuf,
};

use wattle_claims::{RecordKey, Timestamp, Trust};
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
    #[error(
        "the config {name} does not hold any more: {reason}; put it again with: wattle config put {name} KEY=VALUE"
    )]
    Withdrawn { name: Name, reason: String },
    #[error("the secret {0} is not in this host's --secrets-dir")]
    Secret(Name),
    #[error("this host has no --secrets-dir, so the secret {0} cannot be read")]
    SecretsDir(Name),
}

/// Why a secret cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SecretError {
    /// The host was given no folder.
    NoFolder,
    /// There is none of this name.
    Missing,
    /// It is there, and is no file, or too long, or the host may not read it.
    Unreadable(String),
}

/// Reads `{secret: NAME}` from one file per secret, and nowhere else.
#[derive(Clone, Debug)]
pub(crate) struct Secrets(Option<PathBuf>);

impl Secrets {
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }

    fn read(&self, name: &Name) -> Result<String, SettingsError> {
        let bytes = self.bytes(name).map_err(|error| match error {
            SecretError::NoFolder => SettingsError::SecretsDir(name.clone()),
            SecretError::Missing | SecretError::Unreadable(_) => {
                SettingsError::Secret(name.clone())
            }
        })?;
        let text = String::from_utf8(bytes).map_err(|_| SettingsError::Secret(name.clone()))?;
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// What a secret's file says now. Waits for the disk.
    pub(crate) fn bytes(&self, name: &Name) -> Result<Vec<u8>, SecretError> {
        let folder = self.0.as_ref().ok_or(SecretError::NoFolder)?;
        // A name has no slash and no dot, so it stays in the folder.
        let path = folder.join(name.as_str());
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => SecretError::Missing,
            _ => SecretError::Unreadable(format!("the secret {name}: {error}")),
        };
        if !fs::metadata(&path).map_err(unreadable)?.is_file() {
            return Err(SecretError::Unreadable(format!("the secret {name} is no file")));
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(unreadable)?;
        file.take(SECRET_LEN_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > SECRET_LEN_MAX {
            let what = format!("the secret {name} has more than {SECRET_LEN_MAX} bytes");
            return Err(SecretError::Unreadable(what));
        }
        Ok(bytes)
    }

    fn value(&self, value: &ConfigValue) -> Result<String, SettingsError> {
        match value {
            ConfigValue::Plain(text) => Ok(text.clone()),
            ConfigValue::Secret { secret } => self.read(secret),
        }
    }
}

/// Records, and what they have to hold against.
#[derive(Clone, Copy)]
pub(crate) struct Configs<'a> {
    pub(crate) book: &'a RecordBook,
    pub(crate) trust: &'a Trust,
    pub(crate) now: Timestamp,
}

/// Resolves the config records `named` of `account`, and then `values`, which win.
pub(crate) fn resolve(
    named: &[Name],
    values: &BTreeMap<String, ConfigValue>,
    account: &AccountKey,
    configs: Configs<'_>,
    secrets: &Secrets,
) -> Result<Settings, SettingsError> {
    let mut settings = Settings::new();
    for name in named {
        for (key, value) in config(name, account, configs)? {
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
    configs: Configs<'a>,
) -> Result<&'a BTreeMap<String, ConfigValue>, SettingsError> {
    let key = RecordKey::Config { account: account.clone(), name: name.clone() };
    let none = || SettingsError::Config { name: name.clone(), account: account.clone() };
    let withdrawn = |reason: String| SettingsError::Withdrawn { name: name.clone(), reason };
    let record = match configs.book.get(&key).map(|entry| &entry.record) {
        Some(Kept::Config(record)) => record,
        Some(Kept::Unusable { .. }) => return Err(withdrawn("its token holds no more".to_owned())),
        _ => return Err(none()),
    };
    let standing = record.standing(configs.trust, configs.now);
    standing.map_err(|error| withdrawn(error.to_string()))?;
    record.body.value.as_ref().ok_or_else(none)
}
