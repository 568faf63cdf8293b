//! Which Redis a link is to, from the link's and the provider's settings.

use std::{collections::BTreeMap, fmt};

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

/// Names under which a link or the provider may say the URL. wasmCloud's users know `URL`; upper and lower case are the same.
pub(crate) const URL: &str = "url";

/// The provider's own setting for links that say none.
const DEFAULT_URL: &str = "default_url";

/// A Redis server, with what it takes to log in.
#[derive(Clone)]
pub struct Address {
    url: String,
    info: ConnectionInfo,
}

/// Why a link's settings name no Redis.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Neither the link nor the provider says where.
    #[error("no Redis is named: give the link's target config a url, redis://HOST:PORT/DB")]
    Missing,
    /// Not a URL that we can connect to. The URL is not repeated: it may hold a password.
    #[error("the url names no Redis (redis://[USER:PASSWORD@]HOST[:PORT][/DB]): {0}")]
    Malformed(String),
    /// TLS is asked for.
    #[error("the url asks for TLS, which this provider does not speak yet: use redis://")]
    Tls,
}

impl Address {
    /// From a link's settings, else from the provider's.
    pub fn from_settings(
        link: &BTreeMap<String, String>,
        provider: &BTreeMap<String, String>,
    ) -> Result<Self, AddressError> {
        let url = setting(link, URL)
            .or_else(|| setting(provider, DEFAULT_URL))
            .or_else(|| setting(provider, URL))
            .ok_or(AddressError::Missing)?;
        Self::parse(url)
    }

    /// From a URL: `redis://[USER:PASSWORD@]HOST[:PORT][/DB]` or `redis+unix:///PATH[?db=N]`.
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let info = url
            .into_connection_info()
            .map_err(|error| AddressError::Malformed(without_url(&error)))?;
        match info.addr() {
            ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_) => {
                Ok(Self { url: url.to_owned(), info })
            }
            _ => Err(AddressError::Tls),
        }
    }

    /// What tells this login from every other.
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

/// The kind of error alone: its detail could quote the URL.
fn without_url(error: &redis::RedisError) -> String {
    error.category().to_owned()
}

fn setting<'a>(settings: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let found = settings.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// The server, never the login.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.info.addr().fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn the_link_says_where_and_else_the_provider() {
        let provider = settings(&[("default_url", "redis://provider:1")]);
        for (link, found) in
            [(settings(&[("URL", "redis://link:2/3")]), "link:2"), (settings(&[]), "provider:1")]
        {
            let address = Address::from_settings(&link, &provider).expect("a good address");
            assert_eq!(address.to_string(), found);
        }
        let nowhere = Address::from_settings(&settings(&[]), &settings(&[("url", "")]));
        assert!(matches!(nowhere, Err(AddressError::Missing)));
    }

    #[test]
    fn a_password_is_never_shown() {
        let address = Address::parse("redis://user:geheim@host:6379/0").expect("a good address");
        assert!(!format!("{address} {address:?}").contains("geheim"));
        for bad in
            ["redis://user:geheim@host:6379:1", "geheim", "http://geheim@host", "redis://h/geheim"]
        {
            let error = Address::parse(bad).expect_err(bad);
            assert!(!format!("{error} {error:?}").contains("geheim"), "{error:?}");
        }
    }

    #[test]
    fn tls_is_refused_rather_than_left_out() {
        let error = Address::parse("rediss://host").expect_err("TLS");
        assert!(matches!(error, AddressError::Tls | AddressError::Malformed(_)), "{error}");
    }
}
