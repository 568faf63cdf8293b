//! What may be configured, for the whole process and per link, under the names that wasmCloud's users know.

use std::{str::FromStr, time::Duration};

use http::uri::Authority;
use wattle_core::link::Settings;

use crate::trace::Tracing;

/// Where a link listens that does not say, unless `default_address` says otherwise.
const ADDRESS_DEFAULT: &str = "127.0.0.1:8000";

/// Until the head of the response; a link's `timeout_ms` replaces it.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const TIMEOUT_MS_MAX: u64 = 3_600_000;

/// Bytes of a request's body; a link's `max_body_bytes` replaces it. Bodies stream, so this bounds an upload's time on the wire
/// rather than anybody's memory.
const BODY_LEN_MAX_DEFAULT: u64 = 8 * 1024 * 1024 * 1024;

/// A connection without a request under way, or with half a head, is closed after this.
const IDLE_DEFAULT: Duration = Duration::from_secs(60);

/// A body that does not move for this long, in either direction, ends its call.
const BODY_IDLE_DEFAULT: Duration = Duration::from_secs(60);

/// Bytes of a request's head.
const HEAD_LEN_MAX_DEFAULT: usize = 32 * 1024;
const HEAD_LEN_MIN: usize = 1024;

/// Over all addresses, and never more than the process may have files, less some for its own.
const CONNECTIONS_MAX_DEFAULT: usize = 10_000;
const OWN_FILES: usize = 64;

/// Bytes of a configured path.
const PATH_LEN_MAX: usize = 1024;

/// Why a link's or the provider's settings make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("no setting {0:?} of an http-server link: there are {known}", known = LINK_KEYS.join(", "))]
    Unknown(String),
    #[error("{key} {value:?} is not {wanted}")]
    Invalid { key: &'static str, value: String, wanted: &'static str },
    #[error("routing_mode {mode} needs the setting {key}")]
    ModeWants { mode: &'static str, key: &'static str },
    #[error("routing_mode address allows no {0}")]
    AddressOnly(&'static str),
    #[error("{given} is set and {missing} is not")]
    HalfTls { given: &'static str, missing: &'static str },
}

/// Settings of the whole process.
#[derive(Clone, Debug)]
pub(crate) struct ServerSettings {
    pub(crate) default_address: String,
    pub(crate) routing_mode: Option<RoutingMode>,
    pub(crate) connections_max: usize,
    pub(crate) head_len_max: usize,
    pub(crate) idle: Duration,
    pub(crate) body_idle: Duration,
}

/// What tells a link's requests from those of the address's other links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoutingMode {
    Address,
    Path,
    Host,
}

/// Settings of one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkSettings {
    pub(crate) address: String,
    /// Lower case, without a port.
    pub(crate) host: Option<Box<str>>,
    /// Without a slash at its end; empty is every path.
    pub(crate) path: Box<str>,
    pub(crate) timeout: Duration,
    pub(crate) body_len_max: u64,
    pub(crate) tls: Option<TlsSettings>,
    pub(crate) tracing: Tracing,
}

/// Each a path or PEM text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsSettings {
    pub(crate) cert: String,
    pub(crate) key: String,
}

/// `tls_cert_file` and `tls_priv_key_file` are what wasmCloud calls `tls_cert` and `tls_key`.
const LINK_KEYS: [&str; 11] = [
    "address",
    "path",
    "host",
    "routing_mode",
    "timeout_ms",
    "max_body_bytes",
    "trace",
    "tls_cert",
    "tls_key",
    "tls_cert_file",
    "tls_priv_key_file",
];

impl ServerSettings {
    /// Other keys may be there: the host adds some for every provider.
    pub(crate) fn parse(config: &Settings) -> Result<Self, Error> {
        let default_address =
            config.get("default_address").cloned().unwrap_or_else(|| ADDRESS_DEFAULT.to_owned());
        Ok(Self {
            default_address,
            routing_mode: routing_mode(config)?,
            connections_max: number(config, "max_connections", 1, 1_000_000)?
                .map_or(CONNECTIONS_MAX_DEFAULT, |count| count as usize)
                .min(files_max().saturating_sub(OWN_FILES).max(1)),
            head_len_max: number(
                config,
                "max_header_bytes",
                HEAD_LEN_MIN as u64,
                wattle_http::HEAD_LEN_MAX as u64,
            )?
            .map_or(HEAD_LEN_MAX_DEFAULT, |bytes| bytes as usize),
            idle: milliseconds(config, "idle_timeout_ms")?.unwrap_or(IDLE_DEFAULT),
            body_idle: milliseconds(config, "body_idle_timeout_ms")?.unwrap_or(BODY_IDLE_DEFAULT),
        })
    }
}

impl LinkSettings {
    /// A setting that we do not know fails the link: somebody relies on it.
    pub(crate) fn parse(config: &Settings, server: &ServerSettings) -> Result<Self, Error> {
        if let Some(key) = config.keys().find(|key| !LINK_KEYS.contains(&key.as_str())) {
            return Err(Error::Unknown(key.clone()));
        }
        let host = config.get("host").map(|host| parse_host(host)).transpose()?;
        let path = config.get("path").map(|path| parse_path(path)).transpose()?;
        match routing_mode(config)?.or(server.routing_mode) {
            Some(RoutingMode::Path) if path.is_none() => {
                return Err(Error::ModeWants { mode: "path", key: "path" });
            }
            Some(RoutingMode::Host) if host.is_none() => {
                return Err(Error::ModeWants { mode: "host", key: "host" });
            }
            Some(RoutingMode::Address) if path.is_some() => return Err(Error::AddressOnly("path")),
            Some(RoutingMode::Address) if host.is_some() => return Err(Error::AddressOnly("host")),
            _ => {}
        }
        Ok(Self {
            address: config.get("address").unwrap_or(&server.default_address).clone(),
            host,
            path: path.unwrap_or_default(),
            timeout: milliseconds(config, "timeout_ms")?.unwrap_or(TIMEOUT_DEFAULT),
            body_len_max: number(config, "max_body_bytes", 0, u64::MAX)?
                .unwrap_or(BODY_LEN_MAX_DEFAULT),
            tls: tls(config)?,
            tracing: tracing(config)?,
        })
    }
}

fn files_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX)
}

fn routing_mode(config: &Settings) -> Result<Option<RoutingMode>, Error> {
    let Some(value) = config.get("routing_mode") else { return Ok(None) };
    match value.as_str() {
        "address" => Ok(Some(RoutingMode::Address)),
        "path" => Ok(Some(RoutingMode::Path)),
        "host" => Ok(Some(RoutingMode::Host)),
        _ => Err(invalid("routing_mode", value, "one of address, path, host")),
    }
}

fn tracing(config: &Settings) -> Result<Tracing, Error> {
    let Some(value) = config.get("trace") else { return Ok(Tracing::default()) };
    Tracing::parse(value).ok_or_else(|| invalid("trace", value, "one of off, accept, always"))
}

fn tls(config: &Settings) -> Result<Option<TlsSettings>, Error> {
    let cert = config.get("tls_cert").or_else(|| config.get("tls_cert_file"));
    let key = config.get("tls_key").or_else(|| config.get("tls_priv_key_file"));
    match (cert, key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Ok(Some(TlsSettings { cert: cert.clone(), key: key.clone() })),
        (Some(_), None) => Err(Error::HalfTls { given: "tls_cert", missing: "tls_key" }),
        (None, Some(_)) => Err(Error::HalfTls { given: "tls_key", missing: "tls_cert" }),
    }
}

fn parse_host(value: &str) -> Result<Box<str>, Error> {
    let wanted = "a host name without a port";
    let authority = Authority::from_str(value).map_err(|_| invalid("host", value, wanted))?;
    if authority.host() != value {
        return Err(invalid("host", value, wanted));
    }
    Ok(value.to_ascii_lowercase().into())
}

fn parse_path(value: &str) -> Result<Box<str>, Error> {
    let fits = value.starts_with('/')
        && value.len() <= PATH_LEN_MAX
        && value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#');
    if !fits {
        return Err(invalid("path", value, "a path: it starts with / and has no query"));
    }
    Ok(value.trim_end_matches('/').into())
}

fn milliseconds(config: &Settings, key: &'static str) -> Result<Option<Duration>, Error> {
    Ok(number(config, key, 1, TIMEOUT_MS_MAX)?.map(Duration::from_millis))
}

fn number(config: &Settings, key: &'static str, min: u64, max: u64) -> Result<Option<u64>, Error> {
    let Some(value) = config.get(key) else { return Ok(None) };
    match value.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => Err(invalid(key, value, "a number within its limits")),
    }
}

fn invalid(key: &'static str, value: &str, wanted: &'static str) -> Error {
    Error::Invalid { key, value: value.chars().take(80).collect(), wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn link(pairs: &[(&str, &str)]) -> Result<LinkSettings, Error> {
        let server = ServerSettings::parse(&config(&[])).expect("defaults");
        LinkSettings::parse(&config(pairs), &server)
    }

    #[test]
    fn a_link_without_settings_serves_everything_at_the_default_address() {
        let settings = link(&[]).expect("defaults");
        assert_eq!((settings.address.as_str(), &*settings.path), (ADDRESS_DEFAULT, ""));
        assert_eq!((settings.host, settings.tls), (None, None));
    }

    #[test]
    fn paths_and_hosts_are_kept_in_one_spelling() {
        let settings = link(&[("path", "/a/b//"), ("host", "Shop.Example")]).expect("well formed");
        assert_eq!((&*settings.path, settings.host.as_deref()), ("/a/b", Some("shop.example")));
        assert_eq!(&*link(&[("path", "/")]).expect("well formed").path, "");
        for bad in ["", "a", "/a?b", "/a#b", "/ä", "/a b"] {
            assert!(link(&[("path", bad)]).is_err(), "{bad}");
        }
        for bad in ["", "a:80", "a/b", "a b", "x@a"] {
            assert!(link(&[("host", bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_nobody_would_obey_fails_the_link() {
        let key = "readonly_mode";
        assert_eq!(link(&[(key, "true")]), Err(Error::Unknown(key.to_owned())));
        assert!(link(&[("trace", "sometimes")]).is_err());
        assert!(link(&[("timeout_ms", "0")]).is_err());
        assert!(link(&[("timeout_ms", "soon")]).is_err());
        assert!(link(&[("max_body_bytes", "-1")]).is_err());
        assert!(link(&[("tls_cert", "/a.pem")]).is_err());
    }

    #[test]
    fn a_routing_mode_holds_a_link_to_it() {
        assert!(link(&[("routing_mode", "path")]).is_err());
        assert!(link(&[("routing_mode", "path"), ("path", "/a")]).is_ok());
        assert!(link(&[("routing_mode", "host")]).is_err());
        assert!(link(&[("routing_mode", "address"), ("path", "/a")]).is_err());
        assert!(link(&[("routing_mode", "random")]).is_err());
        let server = ServerSettings::parse(&config(&[("routing_mode", "host")])).expect("a mode");
        assert!(LinkSettings::parse(&config(&[]), &server).is_err());
    }
}
