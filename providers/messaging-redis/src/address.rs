//! Which Redis a link is to, from the link's and the provider's settings.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use wattle_messaging::{SettingError, Settings};

/// Names under which a link says the URL, or the provider for links that say none.
pub(crate) const URL: &[&str] = &["url", "uri", "default_url"];

/// A Redis server, with what it takes to log in.
#[derive(Clone)]
pub(crate) struct Address {
    url: String,
    info: ConnectionInfo,
}

impl Address {
    /// From a link's settings, else from the provider's.
    pub(crate) fn from_settings(settings: &Settings<'_>) -> Result<Self, SettingError> {
        let url = settings.text(URL).ok_or_else(|| {
            SettingError::new(URL[0], "name a server: redis://[USER:PASSWORD@]HOST[:PORT][/DB]")
        })?;
        // The URL is not repeated: it may hold a password. A parser's own words could quote it.
        let info = url.into_connection_info().map_err(|_| {
            SettingError::new(
                URL[0],
                "redis://[USER:PASSWORD@]HOST[:PORT][/DB] or redis+unix:///PATH",
            )
        })?;
        match info.addr() {
            ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_) => {
                Ok(Self { url: url.to_owned(), info })
            }
            _ => Err(SettingError::new(URL[0], "TLS is not spoken yet: use redis://")),
        }
    }

    /// What tells this login from every other: not for logs.
    pub(crate) fn key(&self) -> &str {
        &self.url
    }

    pub(crate) fn server(&self) -> &ConnectionAddr {
        self.info.addr()
    }

    pub(crate) fn login(&self) -> &RedisConnectionInfo {
        self.info.redis_settings()
    }
}

/// The server, never the login.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.addr().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn address(url: &str) -> Result<Address, SettingError> {
        let link = BTreeMap::from([("URL".to_owned(), url.to_owned())]);
        Address::from_settings(&Settings::new(&link, &BTreeMap::new()))
    }

    #[test]
    fn a_password_is_never_shown() {
        let shown = address("redis://user:geheim@host:6379/0").expect("an address").to_string();
        assert_eq!(shown, "host:6379");
        for bad in ["redis://user:geheim@host:6379:1", "geheim", "rediss://geheim@host"] {
            let error = address(bad).err().expect(bad).to_string();
            assert!(!error.contains("geheim"), "{error}");
        }
    }
}
