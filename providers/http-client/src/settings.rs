//! What may be configured per link.

use std::time::Duration;

use wattle_core::link::Settings;

/// For a connection, TLS included.
const CONNECT_DEFAULT: Duration = Duration::from_secs(5);

/// For the head of the response; the call's deadline holds as well.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// A body that does not move for this long, in either direction, ends its request.
const IDLE_DEFAULT: Duration = Duration::from_secs(60);
const TIMEOUT_MS_MAX: u64 = 3_600_000;

/// Requests of one link under way at once, up to the end of the response's body. Each may hold a connection and two windows of its
/// bodies; a link beyond it is told so at once, and other links do not notice.
const REQUESTS_MAX_DEFAULT: usize = 256;
const REQUESTS_MAX: u64 = 10_000;

const KEYS: [&str; 6] = [
    "connect_timeout_ms",
    "timeout_ms",
    "idle_timeout_ms",
    "max_requests",
    "tls_ca",
    "tls_ca_file",
];

/// Why a link's settings make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("no setting {0:?} of an http-client link: there are {known}", known = KEYS.join(", "))]
    Unknown(String),
    #[error("{key} {value:?} is not a number from 1 to {max}")]
    Number { key: &'static str, value: String, max: u64 },
}

/// Settings of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkSettings {
    pub(crate) connect: Duration,
    pub(crate) timeout: Duration,
    pub(crate) idle: Duration,
    pub(crate) requests_max: usize,
    /// A file or PEM text: whom to trust instead of the system's authorities.
    pub(crate) authority: Option<String>,
}

impl LinkSettings {
    /// A setting that we do not know fails the link: somebody relies on it.
    pub(crate) fn parse(config: &Settings) -> Result<Self, Error> {
        if let Some(key) = config.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(Error::Unknown(key.clone()));
        }
        let number = |key: &'static str, max: u64| match config.get(key) {
            None => Ok(None),
            Some(value) => match value.parse() {
                Ok(number) if (1..=max).contains(&number) => Ok(Some(number)),
                _ => Err(Error::Number { key, value: value.chars().take(40).collect(), max }),
            },
        };
        let time = |key: &'static str, default: Duration| {
            Ok(number(key, TIMEOUT_MS_MAX)?.map_or(default, Duration::from_millis))
        };
        Ok(Self {
            connect: time("connect_timeout_ms", CONNECT_DEFAULT)?,
            timeout: time("timeout_ms", TIMEOUT_DEFAULT)?,
            idle: time("idle_timeout_ms", IDLE_DEFAULT)?,
            requests_max: number("max_requests", REQUESTS_MAX)?
                .and_then(|count| usize::try_from(count).ok())
                .unwrap_or(REQUESTS_MAX_DEFAULT),
            authority: config.get("tls_ca").or_else(|| config.get("tls_ca_file")).cloned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(pairs: &[(&str, &str)]) -> Result<LinkSettings, Error> {
        let config = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        LinkSettings::parse(&config.collect())
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let settings = link(&[("timeout_ms", "250")]).expect("well formed");
        assert_eq!(settings.timeout, Duration::from_millis(250));
        assert_eq!(settings.connect, CONNECT_DEFAULT);
        assert_eq!((settings.requests_max, settings.authority), (REQUESTS_MAX_DEFAULT, None));
    }

    #[test]
    fn what_nobody_would_obey_fails_the_link() {
        assert_eq!(link(&[("proxy", "x")]), Err(Error::Unknown("proxy".to_owned())));
        for wrong in ["0", "-1", "soon", "99999999999"] {
            assert!(link(&[("timeout_ms", wrong)]).is_err(), "{wrong}");
            assert!(link(&[("max_requests", wrong)]).is_err(), "{wrong}");
        }
    }
}
