//! What a link says: which printer, and what its caller may do there.

use std::{str::FromStr, time::Duration};

use wattle_sdk::LinkGrant;

/// The constraint that says how many copies of a label a caller may have.
pub(crate) const COPIES: &str = "copies";

/// Copies of one label, where the link says nothing: what ZPL counts to is 99,999,999.
const COPIES_MAX: u16 = 100;

/// A link's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `host:port`; printers listen at 9100.
    pub(crate) address: String,
    pub(crate) dots_per_mm: u16,
    /// How long the printer has for its answer.
    pub(crate) patience: Duration,
    pub(crate) copies_max: u16,
}

/// Why a link does not hold. Values are not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("setting address is missing: the printer's host:port, such as 192.0.2.7:9100")]
    NoAddress,
    #[error("setting {0}: there is no such setting")]
    Unknown(String),
    #[error("setting {name}: a whole number from {least} to {most}")]
    Number { name: &'static str, least: u16, most: u16 },
    #[error("constraint {COPIES}: one whole number from 1 to {COPIES_MAX}")]
    Copies,
}

impl Settings {
    pub(crate) fn new(link: &LinkGrant) -> Result<Self, SettingsError> {
        const KNOWN: [&str; 3] = ["address", "dots_per_mm", "timeout_ms"];
        let key = |key: &str| key.replace('-', "_").to_ascii_lowercase();
        if let Some(unknown) = link.config.keys().find(|name| !KNOWN.contains(&key(name).as_str()))
        {
            return Err(SettingsError::Unknown(unknown.clone()));
        }
        let text = |name: &str| {
            link.config.iter().find(|(found, _)| key(found) == name).map(|(_, value)| value.trim())
        };
        let number = |name, default, least, most| {
            let Some(text) = text(name) else { return Ok(default) };
            let fits = number_within(text, least, most);
            fits.ok_or(SettingsError::Number { name, least, most })
        };
        let copies_max = match link.constraints.get(COPIES).map(Vec::as_slice) {
            None => COPIES_MAX,
            Some([text]) => number_within(text, 1, COPIES_MAX).ok_or(SettingsError::Copies)?,
            Some(_) => return Err(SettingsError::Copies),
        };
        Ok(Self {
            address: text("address").ok_or(SettingsError::NoAddress)?.to_owned(),
            dots_per_mm: number("dots_per_mm", 8, 6, 24)?,
            patience: Duration::from_millis(number("timeout_ms", 5_000, 100, 60_000)?.into()),
            copies_max,
        })
    }
}

fn number_within<N: FromStr + PartialOrd>(text: &str, least: N, most: N) -> Option<N> {
    text.parse().ok().filter(|number| (least..=most).contains(number))
}
