//! A link's settings over its provider's: read by name, checked, and refused by name.

use std::{collections::BTreeMap, ops::RangeInclusive, str::FromStr, time::Duration};

/// Both sets of settings. The link's win; names are the same in upper and lower case, and with `-` for `_`.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    link: &'a BTreeMap<String, String>,
    provider: &'a BTreeMap<String, String>,
}

static NOTHING: BTreeMap<String, String> = BTreeMap::new();

/// Why a link's settings cannot be used. Values are not repeated: they may be secrets.
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

impl<'a> Settings<'a> {
    /// The settings of a link, and of its provider for what the link does not say.
    pub fn new(link: &'a BTreeMap<String, String>, provider: &'a BTreeMap<String, String>) -> Self {
        Self { link, provider }
    }

    /// The settings of one level alone: the link's, where it says any of these, else the provider's. For what belongs together, as a
    /// server and the password for it do.
    pub fn one_level(&self, names: &[&[&str]]) -> Self {
        let of_link = names.iter().copied().flatten().any(|name| find(self.link, name).is_some());
        Self { link: if of_link { self.link } else { self.provider }, provider: &NOTHING }
    }

    /// Whether the link says only what is known: a name with a typing error must not go by unnoticed.
    pub fn check_names(&self, known: &[&[&str]]) -> Result<(), SettingError> {
        let known = || known.iter().copied().flatten().copied();
        match self.link.keys().find(|key| !known().any(|name| same(key, name))) {
            Some(unknown) => Err(SettingError::new(unknown, "there is no such setting")),
            None => Ok(()),
        }
    }

    /// The first of these names that has a value: in the link, else in the provider.
    pub fn text(&self, names: &[&str]) -> Option<&'a str> {
        let found = |settings| names.iter().find_map(|name| find(settings, name));
        found(self.link).or_else(|| found(self.provider))
    }

    /// A list, separated by commas, without empty entries.
    pub fn list(&self, names: &[&str]) -> Vec<&'a str> {
        let entries = self.text(names).into_iter().flat_map(|text| text.split(','));
        entries.map(str::trim).filter(|entry| !entry.is_empty()).collect()
    }

    /// A whole number within a range.
    pub fn number<N>(
        &self,
        name: &str,
        default: N,
        range: RangeInclusive<N>,
    ) -> Result<N, SettingError>
    where
        N: FromStr + PartialOrd + std::fmt::Display,
    {
        let Some(text) = self.text(&[name]) else { return Ok(default) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            SettingError::new(name, format!("a whole number from {least} to {most}"))
        })
    }

    /// A time in milliseconds within a range.
    pub fn millis(
        &self,
        name: &str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<Duration, SettingError> {
        self.number(name, default, range).map(Duration::from_millis)
    }

    /// `true` or `false`.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, SettingError> {
        let Some(text) = self.text(&[name]) else { return Ok(default) };
        text.to_ascii_lowercase()
            .parse()
            .map_err(|_| SettingError::new(name, "either true or false"))
    }
}

fn same(key: &str, name: &str) -> bool {
    key.replace('-', "_").eq_ignore_ascii_case(name)
}

fn find<'a>(settings: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let found = settings.iter().find(|(key, _)| same(key, name));
    found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn the_link_says_and_else_the_provider_under_any_of_a_setting_s_names() {
        let link = settings(&[("URL", "link"), ("ack-wait-ms", "5"), ("empty", " ")]);
        let provider = settings(&[("cluster_uris", "provider"), ("empty", "a, ,b")]);
        let both = Settings::new(&link, &provider);
        assert_eq!(both.text(&["cluster_uris", "url"]), Some("link"));
        assert_eq!(both.list(&["empty"]), ["a", "b"]);
        assert_eq!(both.millis("ack_wait_ms", 1, 1..=9), Ok(Duration::from_millis(5)));
        assert_eq!(both.number("missing", 7, 1..=9), Ok(7));
        assert_eq!(both.one_level(&[&["url"], &["empty"]]).text(&["empty"]), None);
        assert_eq!(both.one_level(&[&["empty"]]).text(&["empty"]), Some("a, ,b"));
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name_without_its_value() {
        let link = settings(&[("many", "4711"), ("flag", "geheim")]);
        let none = BTreeMap::new();
        let both = Settings::new(&link, &none);
        let error = both.number("many", 1_u32, 1..=10).expect_err("too many");
        assert_eq!(error.to_string(), "setting many: a whole number from 1 to 10");
        let error = both.flag("flag", false).expect_err("no flag").to_string();
        assert!(!error.contains("geheim"), "{error}");
        assert!(both.check_names(&[&["many"], &["flag"]]).is_ok());
        assert_eq!(both.check_names(&[&["many"]]).expect_err("unknown").name, "flag");
    }
}
