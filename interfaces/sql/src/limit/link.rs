//! The limits of one link, from its settings.

use std::{ops::RangeInclusive, time::Duration};

use wattle_core::link::Settings;

use super::{BATCH_MAX, PARAMS_MAX, RESULT_LEN_MAX, ROWS_MAX, STATEMENT_LEN_MAX, at_most};
use crate::{Error, wire::Statement};

/// How long a statement, or a batch, may run. A link may lower it; so does what is left of its call's deadline.
pub const TIME_MAX: Duration = Duration::from_secs(30);

/// What a link holds its caller to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows of a result: `max_rows`.
    pub rows_max: usize,
    /// Bytes of a result: `max_result_bytes`.
    pub result_len_max: usize,
    /// Bytes of a statement's text: `max_statement_bytes`.
    pub statement_len_max: usize,
    /// Parameters of a statement: `max_params`.
    pub params_max: usize,
    /// Statements of a batch: `max_batch`.
    pub batch_max: usize,
    /// How long a statement, or a batch, may run: `statement_timeout_ms`.
    pub time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows_max: ROWS_MAX,
            result_len_max: RESULT_LEN_MAX,
            statement_len_max: STATEMENT_LEN_MAX,
            params_max: PARAMS_MAX,
            batch_max: BATCH_MAX,
            time_max: TIME_MAX,
        }
    }
}

/// A link's limit that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {value:?} is not a whole number from {} to {}", .range.start(), .range.end())]
pub struct LimitError {
    name: &'static str,
    value: String,
    range: RangeInclusive<u64>,
}

impl Limits {
    /// From a link's settings. What it does not set stays as the contract has it; nothing can be raised.
    pub fn from_settings(settings: &Settings) -> Result<Self, LimitError> {
        let count = |name, max: usize| number(settings, name, max as u64).map(|n| n as usize);
        let milliseconds = TIME_MAX.as_millis() as u64;
        Ok(Self {
            rows_max: count("max_rows", ROWS_MAX)?,
            result_len_max: count("max_result_bytes", RESULT_LEN_MAX)?,
            statement_len_max: count("max_statement_bytes", STATEMENT_LEN_MAX)?,
            params_max: count("max_params", PARAMS_MAX)?,
            batch_max: count("max_batch", BATCH_MAX)?,
            time_max: Duration::from_millis(number(
                settings,
                "statement_timeout_ms",
                milliseconds,
            )?),
        })
    }

    pub(crate) fn check_statement(&self, statement: &Statement) -> Result<(), Error> {
        super::check(statement, self.statement_len_max, self.params_max)
    }

    pub(crate) fn check_batch(&self, statements: usize) -> Result<(), Error> {
        at_most("statements of a batch", statements, self.batch_max)
    }
}

fn number(settings: &Settings, name: &'static str, max: u64) -> Result<u64, LimitError> {
    let Some(value) = settings.get(name) else { return Ok(max) };
    let range = 1..=max;
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| LimitError { name, value: value.clone(), range })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_lowers_limits_and_cannot_raise_them() {
        let set = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        let limits = Limits::from_settings(&set("max_rows", "7")).expect("lower");
        assert_eq!(limits, Limits { rows_max: 7, ..Limits::default() });
        for (name, value) in [
            ("max_rows", "10001"),
            ("max_rows", "0"),
            ("statement_timeout_ms", "1s"),
            ("max_batch", "-1"),
        ] {
            let error = Limits::from_settings(&set(name, value)).expect_err(value).to_string();
            assert!(error.contains(name) && error.contains(value), "{error}");
        }
    }
}
