//! Sizes and times as people write them: on the command line and in manifests.

use std::time::Duration;

use crate::name::shortened;

/// Why a text is no size or time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It is no time.
    #[error("{0:?} is not a time: write 500ms, 30s, 2m, 1h or 7d")]
    Time(String),
    /// It is no size.
    #[error("{0:?} is not a size: write 65536, 500kB, 64MiB or 1GiB")]
    Size(String),
}

/// A time from `500ms`, `30s`, `2m`, `1h`; a bare number is seconds.
pub fn duration(text: &str) -> Result<Duration, QuantityError> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let refused = || QuantityError::Time(shortened(text));
    let number: u64 = number.parse().map_err(|_| refused())?;
    let seconds = |factor: u64| number.checked_mul(factor).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "" | "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(60 * 60),
        "d" => seconds(24 * 60 * 60),
        _ => None,
    }
    .ok_or_else(refused)
}

/// A size in bytes from `64MiB`, `1GiB`, `500kB`; a bare number is bytes.
pub fn bytes(text: &str) -> Result<u64, QuantityError> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let refused = || QuantityError::Size(shortened(text));
    let number: u64 = number.parse().map_err(|_| refused())?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "kib" => 1 << 10,
        "mb" => 1_000_000,
        "mib" => 1 << 20,
        "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        _ => return Err(refused()),
    };
    number.checked_mul(factor).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("7"), Ok(Duration::from_secs(7)));
        for bad in ["", "s", "-1s", "1.5s", "1y", "99999999999999999999s", "18446744073709551615d"]
        {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("500kB"), Ok(500_000));
        assert_eq!(bytes("7"), Ok(7));
        for bad in ["", "MiB", "1.5MiB", "1TB", "99999999999999GiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
