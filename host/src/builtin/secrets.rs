//! `wasmcloud:secrets`: one file of the host's `--secrets-dir` for an actor whose link names it, read at each call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wattle_core::{Link, Name, codec, link::ConfigValue};

use super::{Refusal, pattern::Patterns};
use crate::{
    router::Denial,
    settings::{SecretError, Secrets},
};

/// Where a secret is asked for, and the function.
pub(crate) const STORE: &str = "wasmcloud:secrets/store";
pub(crate) const GET: &str = "get";
/// Where an actor asks what a secret that it got says. The host carries no call for it: it asks the router whether it may.
pub(crate) const REVEAL: &str = "wasmcloud:secrets/reveal";

/// The constraint that names secrets: `db-password`, or `api-*` for all that begin so.
const NAMES: &str = "names";

/// The most bytes of a call's parameters.
const PARAMS_LEN_MAX: usize = 4 * 1024;

/// The most bytes of an answer: a secret's, and what says which kind it is.
pub(crate) const ANSWER_LEN_MAX: usize = 80 * 1024;

/// What an actor gets. The bytes do not leave the host: they are the other half of a handle, which its instance keeps.
pub(crate) type Answer = Result<SecretValue, SecretsError>;

/// What a secret says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SecretValue {
    String(String),
    Bytes(#[serde(with = "codec::bytes")] Vec<u8>),
}

/// Why it is not had, where the link allows it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SecretsError {
    Upstream(String),
    Io(String),
    NotFound,
}

/// The secrets that a link names.
///
/// A setting of the callee's side, `KEY={secret: NAME}`, gives the secret NAME under KEY; what the constraint `names` allows is there
/// under its own name. Where there is that constraint, the settings keep within it, too.
pub(crate) struct Scope {
    keys: BTreeMap<String, Name>,
    names: Option<Patterns>,
}

/// Answers `get`.
pub(super) async fn get(files: &Secrets, link: &Link, params: &[u8]) -> Result<Vec<u8>, Refusal> {
    let (key,): (String,) = codec::decode(params, PARAMS_LEN_MAX)
        .map_err(|error| Refusal::Malformed(format!("{STORE}.{GET}: {error}")))?;
    let scope = Scope::of(link).map_err(Refusal::Denied)?;
    let name = scope.find(&key).ok_or_else(|| Refusal::Denied(not_named(link, &key)))?;
    let files = files.clone();
    // A disk may be slow, and lanes carry the calls of others.
    let read = tokio::task::spawn_blocking(move || files.bytes(&name)).await;
    let answer: Answer = match read {
        Ok(Ok(bytes)) => Ok(SecretValue::from(bytes)),
        Ok(Err(SecretError::NoFolder)) => {
            Err(SecretsError::Upstream("unavailable: this host has no --secrets-dir".to_owned()))
        }
        Ok(Err(SecretError::Missing)) => Err(SecretsError::NotFound),
        Ok(Err(SecretError::Unreadable(why))) => Err(SecretsError::Io(why)),
        Err(_) => Err(SecretsError::Upstream("unavailable: the host stops".to_owned())),
    };
    Ok(codec::encode(&answer))
}

impl From<Vec<u8>> for SecretValue {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(mut text) => {
                // As in settings: editors end a file with a newline.
                text.truncate(text.strip_suffix('\n').map_or(text.len(), str::len));
                Self::String(text)
            }
            Err(error) => Self::Bytes(error.into_bytes()),
        }
    }
}

impl Scope {
    /// What a link names, if it says nothing but that.
    pub(super) fn of(link: &Link) -> Result<Self, Denial> {
        let refused = |what: String| Denial::new(format!("the link {}: {what}", link.key()));
        if let Some(unknown) = link.constraints.keys().find(|name| *name != NAMES) {
            let what = format!("{STORE} knows no constraint {unknown:?}, only {NAMES}");
            return Err(refused(what));
        }
        if let Some(named) = link.target_config.named.first() {
            let what = format!("the config {named} could name secrets that the link does not");
            return Err(refused(what).with_next("--target-secret KEY=NAME in the link itself"));
        }
        let mut keys = BTreeMap::new();
        for (key, value) in &link.target_config.values {
            let ConfigValue::Secret { secret } = value else {
                let what = format!("the setting {key:?} is no secret's name");
                return Err(refused(what).with_next(format!("--target-secret {key}=NAME")));
            };
            keys.insert(key.clone(), secret.clone());
        }
        let names = link.constraints.get(NAMES);
        let names = names.map(|names| Patterns::read(names, |text| text.parse::<Name>().is_ok()));
        let names = names.transpose().map_err(|text| {
            refused(format!("{text:?} is no secret's name: write db-password, or api-* for more"))
        })?;
        let scope = Self { keys, names };
        if let Some(beyond) = scope.keys.values().find(|name| !scope.allows(name)) {
            return Err(refused(format!("the secret {beyond} is not among its {NAMES}")));
        }
        if scope.keys.is_empty() && scope.names.as_ref().is_none_or(Patterns::is_empty) {
            return Err(
                refused("it names no secret".to_owned()).with_next(with_names(link, "NAME"))
            );
        }
        Ok(scope)
    }

    /// The name in the folder of what the actor calls `key`. A key that is no name is none of a file's.
    fn find(&self, key: &str) -> Option<Name> {
        if let Some(name) = self.keys.get(key) {
            return Some(name.clone());
        }
        let name: Name = key.parse().ok()?;
        (self.names.is_some() && self.allows(&name)).then_some(name)
    }

    fn allows(&self, name: &Name) -> bool {
        self.names.as_ref().is_none_or(|names| names.allow(name.as_str()))
    }
}

fn not_named(link: &Link, key: &str) -> Denial {
    let short: String = key.chars().take(80).collect();
    let denial = Denial::new(format!("the link {} names no secret {short:?}", link.key()));
    // What would grant it, if it could be granted.
    match key.parse::<Name>() {
        Ok(name) => denial.with_next(with_names(link, name.as_str())),
        Err(_) => {
            denial.with_next(format!("give it a file's name: --target-secret {short:?}=NAME"))
        }
    }
}

fn with_names(link: &Link, name: &str) -> String {
    let (source, target, link_name) = (&link.source.id, &link.target.id, &link.name);
    format!(
        "wattle link put {source} {target} {STORE},{REVEAL} --name {link_name} --constraint {NAMES}={name}"
    )
}

#[cfg(test)]
mod tests;
