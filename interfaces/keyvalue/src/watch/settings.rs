//! What a link that tells an actor of changes asks for.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use wattle_core::Constraints;

use crate::{
    DEFAULT_BUCKET, Scope,
    limit::{BUCKET_LEN_MAX, KEY_LEN_MAX},
};

const BUCKET: &str = "bucket";
const WATCH: &str = "watch";
const MAX_IN_FLIGHT: &str = "max_in_flight";
const TIMEOUT: &str = "timeout_ms";
const ATTEMPTS: &str = "max_deliver";

/// The settings that each provider of `watcher` knows on such a link, beside its own.
pub const SETTINGS: &[&str] = &[BUCKET, WATCH, MAX_IN_FLIGHT, TIMEOUT, ATTEMPTS];

/// What stands for every key.
const EVERYTHING: &str = "*";

/// Prefixes of one link: each is a pattern that the backend matches every change against.
const PREFIXES_MAX: usize = 100;

/// A change that the actor failed to take is told of again so often.
const ATTEMPTS_DEFAULT: u32 = 5;

/// Keys of which the actor is told at the same time.
const IN_FLIGHT_DEFAULT: usize = 32;

/// Milliseconds that the actor may take for one.
const TIMEOUT_DEFAULT_MS: u64 = 30_000;

/// What a link watches, and how its actor is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The bucket.
    pub bucket: String,
    /// Keys of which the actor is told at the same time.
    pub max_in_flight: usize,
    /// How long it may take for one.
    pub timeout: Duration,
    /// How often it is told of a change that it does not take.
    pub attempts: u32,
    prefixes: Vec<String>,
    scope: Scope,
}

/// Why a link's settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("setting {name}: {reason}")]
pub struct SettingError {
    /// The setting.
    pub name: String,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl SettingError {
    /// A reason for a person.
    pub fn new(name: &str, reason: impl Into<String>) -> Self {
        Self { name: name.to_owned(), reason: reason.into() }
    }
}

impl Watch {
    /// From a link's settings and constraints. `own` are the provider's own settings for such a link.
    ///
    /// # Errors
    /// The setting that is missing, unknown or out of its range.
    pub fn new(
        config: &BTreeMap<String, String>,
        constraints: &Constraints,
        own: &[&str],
    ) -> Result<Self, SettingError> {
        let known = |name: &str| SETTINGS.iter().chain(own).any(|known| same(name, known));
        if let Some(unknown) = config.keys().find(|name| !known(name)) {
            return Err(SettingError::new(unknown, "there is no such setting"));
        }
        let scope = Scope::new(constraints)
            .map_err(|error| SettingError::new("constraints", error.to_string()))?;
        let bucket = text(config, BUCKET).unwrap_or(DEFAULT_BUCKET);
        if bucket.len() > BUCKET_LEN_MAX {
            let reason = format!("at most {BUCKET_LEN_MAX} bytes");
            return Err(SettingError::new(BUCKET, reason));
        }
        if scope.check_bucket(bucket).is_err() {
            return Err(SettingError::new(BUCKET, "the link's constraint buckets forbids it"));
        }
        let timeout = number(config, TIMEOUT, TIMEOUT_DEFAULT_MS, 1..=3_600_000)?;
        Ok(Self {
            bucket: bucket.to_owned(),
            max_in_flight: number(config, MAX_IN_FLIGHT, IN_FLIGHT_DEFAULT, 1..=1_024)?,
            timeout: Duration::from_millis(timeout),
            attempts: number(config, ATTEMPTS, ATTEMPTS_DEFAULT, 1..=1_000)?,
            prefixes: prefixes(config)?,
            scope,
        })
    }

    /// What the watched keys start with: none of these is the beginning of another. One that is empty stands for every key.
    pub fn prefixes(&self) -> &[String] {
        &self.prefixes
    }

    /// Whether a key of the bucket is watched.
    pub fn sees(&self, key: &str) -> bool {
        self.prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()))
            && (1..=KEY_LEN_MAX).contains(&key.len())
            && self.scope.allows_key(key)
    }
}

/// Names are the same in upper and lower case, and with `-` for `_`.
fn same(name: &str, known: &str) -> bool {
    name.replace('-', "_").eq_ignore_ascii_case(known)
}

fn text<'a>(config: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let found = config.iter().find(|(key, _)| same(key, name));
    found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}

fn number<N>(
    config: &BTreeMap<String, String>,
    name: &str,
    default: N,
    range: RangeInclusive<N>,
) -> Result<N, SettingError>
where
    N: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let Some(text) = text(config, name) else { return Ok(default) };
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let reason = format!("a whole number from {} to {}", range.start(), range.end());
        SettingError::new(name, reason)
    })
}

fn prefixes(config: &BTreeMap<String, String>) -> Result<Vec<String>, SettingError> {
    let wrong = |reason: String| Err(SettingError::new(WATCH, reason));
    let all: Vec<&str> = text(config, WATCH)
        .into_iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|prefix| !prefix.is_empty())
        .map(|prefix| if prefix == EVERYTHING { "" } else { prefix })
        .collect();
    if all.is_empty() {
        return wrong(format!(
            "say what watched keys start with, separated by commas, or {EVERYTHING} for all of them"
        ));
    }
    if all.len() > PREFIXES_MAX || all.iter().any(|prefix| prefix.len() > KEY_LEN_MAX) {
        return wrong(format!("at most {PREFIXES_MAX}, each of at most {KEY_LEN_MAX} bytes"));
    }
    let mut kept: Vec<String> = Vec::new();
    for (n, prefix) in all.iter().enumerate() {
        let covered = |(other_n, other): (usize, &&str)| {
            prefix.starts_with(*other) && (prefix.len() > other.len() || other_n < n)
        };
        if !all.iter().enumerate().any(covered) {
            kept.push((*prefix).to_owned());
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(pairs: &[(&str, &str)]) -> Result<Watch, SettingError> {
        let config = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        Watch::new(&config.collect(), &Constraints::new(), &["url"])
    }

    #[test]
    fn prefixes_say_which_keys_are_watched_and_none_covers_another() {
        let some = watch(&[("watch", "cart:, cart:7,cart:,user:"), ("url", "x")]).expect("good");
        assert_eq!(some.prefixes(), ["cart:", "user:"]);
        assert!(some.sees("cart:7") && some.sees("user:") && !some.sees("car"));
        assert_eq!(some.bucket, "default");
        let all = watch(&[("WATCH", "a,*"), ("bucket", "b"), ("max-deliver", "1")]).expect("good");
        assert_eq!((all.prefixes(), all.attempts), (&[String::new()][..], 1));
        assert!(all.sees("anything") && !all.sees("") && !all.sees(&"k".repeat(KEY_LEN_MAX + 1)));
    }

    #[test]
    fn constraints_hold_as_well() {
        let config = [("watch".to_owned(), "*".to_owned())].into();
        let only = |name: &str| [(name.to_owned(), vec!["shop:".to_owned()])].into();
        let watch = Watch::new(&config, &only("key-prefix"), &[]).expect("good");
        assert!(watch.sees("shop:1") && !watch.sees("other"));
        let denied = Watch::new(&config, &only("buckets"), &[]).expect_err("another bucket");
        assert_eq!(denied.name, "bucket");
        assert!(Watch::new(&config, &only("tables"), &[]).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_name() {
        for (settings, name) in [
            (vec![], "watch"),
            (vec![("watch", " , ")], "watch"),
            (vec![("watch", "a"), ("watched", "b")], "watched"),
            (vec![("watch", "a"), ("max_deliver", "0")], "max_deliver"),
            (vec![("watch", "a"), ("timeout_ms", "soon")], "timeout_ms"),
            (vec![("watch", "a"), ("max_in_flight", "2000")], "max_in_flight"),
        ] {
            assert_eq!(watch(&settings).expect_err(name).name, name);
        }
    }
}
