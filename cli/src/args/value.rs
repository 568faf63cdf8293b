//! Values on the command line, each parsed once into what it means.

use std::{collections::BTreeMap, time::Duration};

use wattle_core::{Constraints, Name, link::ConfigValue, quantity};

/// `KEY=VALUE`; the value may have further `=`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not a setting: write KEY=VALUE")),
    }
}

/// How long something is to last: not no time at all.
pub(crate) fn lasting(text: &str) -> Result<Duration, String> {
    match quantity::duration(text) {
        Ok(lasts) if lasts >= Duration::from_secs(1) => Ok(lasts),
        Ok(_) => Err("it would end at once: say a second or more".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Linear memory: a page of Wasm at least.
pub(crate) fn memory(text: &str) -> Result<u64, String> {
    const PAGE: u64 = 64 << 10;
    match quantity::bytes(text) {
        Ok(bytes) if bytes >= PAGE => Ok(bytes),
        Ok(_) => Err("no instance fits into less than 64KiB, a page of memory".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// `KEY=NAME`, where the name is that of a secret.
pub(crate) fn secret(text: &str) -> Result<(String, Name), String> {
    let (key, name) = pair(text)?;
    let name = name.parse().map_err(|error| format!("in {text:?}, {error}"))?;
    Ok((key, name))
}

/// Settings from plain values and secrets' names. A key given twice is a mistake, not a choice.
pub(crate) fn settings(
    plain: &[(String, String)],
    secrets: &[(String, Name)],
) -> Result<BTreeMap<String, ConfigValue>, String> {
    let plain = plain.iter().map(|(key, value)| (key, ConfigValue::Plain(value.clone())));
    let secrets =
        secrets.iter().map(|(key, name)| (key, ConfigValue::Secret { secret: name.clone() }));
    let mut settings = BTreeMap::new();
    for (key, value) in plain.chain(secrets) {
        if settings.insert(key.clone(), value).is_some() {
            return Err(format!("{key:?} is given twice"));
        }
    }
    Ok(settings)
}

/// Constraints: the same name given again adds to its values.
pub(crate) fn constraints(given: &[(String, String)]) -> Constraints {
    let mut constraints = Constraints::new();
    for (name, value) in given {
        constraints.entry(name.clone()).or_default().push(value.clone());
    }
    constraints
}

/// The first setting that looks like a password kept in the open: by its name, or a URL with one in it.
pub(crate) fn password_in(settings: &BTreeMap<String, ConfigValue>) -> Option<&str> {
    let exposed = |(key, value): &(&String, &ConfigValue)| match value {
        ConfigValue::Plain(value) => names_a_secret(key) || url_has_password(value),
        ConfigValue::Secret { .. } => false,
    };
    settings.iter().find(exposed).map(|(key, _)| key.as_str())
}

fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "passwd", "secret", "token", "api_key", "apikey", "private_key"]
        .iter()
        .any(|word| key.contains(word))
}

fn url_has_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority
        .rsplit_once('@')
        .and_then(|(user, _)| user.split_once(':'))
        .is_some_and(|(_, password)| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_split_at_its_first_equals_sign() {
        assert_eq!(pair("url=redis://x/?a=b").expect("a pair").1, "redis://x/?a=b");
        assert!(pair("=x").is_err());
        assert!(pair("x").is_err());
    }

    #[test]
    fn a_key_may_not_be_both_plain_and_secret() {
        let plain = [("url".to_owned(), "x".to_owned())];
        let secret = [("url".to_owned(), "redis-url".parse().expect("a name"))];
        assert!(settings(&plain, &secret).is_err());
    }

    #[test]
    fn a_password_in_plain_config_is_noticed() {
        for (key, value, found) in [
            ("url", "redis://user:hunter2@db:6379/0", true),
            ("url", "redis://db:6379/0", false),
            ("url", "redis://user@db", false),
            ("PASSWORD", "x", true),
            ("path", "/a:b@c", false),
        ] {
            let settings = settings(&[(key.to_owned(), value.to_owned())], &[]).expect("one key");
            assert_eq!(password_in(&settings).is_some(), found, "{key}={value}");
        }
    }

    #[test]
    fn a_constraint_given_twice_has_two_values() {
        let given =
            [("buckets".to_owned(), "a".to_owned()), ("buckets".to_owned(), "b".to_owned())];
        assert_eq!(constraints(&given)["buckets"], ["a", "b"]);
    }
}
