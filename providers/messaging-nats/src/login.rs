//! Which NATS a link is to, and as whom, from the link's and the provider's settings.

use std::{fmt, time::Duration};

use async_nats::{ConnectOptions, ServerAddr, rustls};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use wattle_messaging::{SettingError, Settings};

/// Servers, separated by commas. wasmCloud's users know the first name.
pub(crate) const URIS: &[&str] = &["cluster_uris", "uris", "uri", "url"];
/// A user's token of a NATS account, with its seed.
pub(crate) const JWT: &[&str] = &["auth_jwt", "client_jwt"];
/// The seed of a user: with a token, or as an nkey alone.
pub(crate) const SEED: &[&str] = &["auth_seed", "client_seed"];
/// The certificates that the server's must come from: PEM, or with the second name the path of a file.
pub(crate) const TLS_CA: &[&str] = &["tls_ca"];
/// The same, as a file's path.
pub(crate) const TLS_CA_FILE: &[&str] = &["tls_ca_file"];
/// What the subjects of answers begin with.
pub(crate) const INBOX_PREFIX: &[&str] = &["custom_inbox_prefix"];
/// Seconds between two pings.
pub(crate) const PING_INTERVAL: &[&str] = &["ping_interval_sec"];

/// Seconds between pings where no setting says so. They are only what notices a silent server where a login may not publish to
/// its own inbox; a server that leaves three unanswered is given up.
const PING_INTERVAL_DEFAULT: u64 = 2;

/// How long one address may take to answer, from connecting to the server's first pong.
const CONNECT_WAIT: Duration = Duration::from_secs(1);

/// Commands of all links that wait for one connection; more wait for their turn.
const COMMANDS_MAX: usize = 256;

/// Messages of one subscription that are read before the task that takes them runs. It runs on the connection's thread, so they
/// are those of one turn of the runtime: at most 128 reads of 64 KiB.
const READ_AHEAD_MAX: usize = 64 * 1024;

/// The most bytes of a certificate file.
const CA_LEN_MAX: u64 = 1024 * 1024;

/// Servers of one cluster, with what it takes to log in.
#[derive(Clone)]
pub(crate) struct Login {
    servers: Vec<ServerAddr>,
    auth: Auth,
    /// PEM.
    ca: Option<Vec<u8>>,
    inbox_prefix: String,
    ping_interval: Duration,
}

#[derive(Clone, PartialEq, Eq)]
enum Auth {
    None,
    Password(String, String),
    Token(String),
    Seed(String),
    Jwt { jwt: String, seed: String },
}

impl Login {
    /// From a link's settings, else from the provider's. `inbox` is what subjects of answers begin with by default.
    pub(crate) async fn from_settings(
        settings: &Settings<'_>,
        inbox: &str,
    ) -> Result<Self, SettingError> {
        let mut servers = Vec::new();
        let mut auth = Auth::None;
        for uri in settings.list(URIS) {
            let server: ServerAddr = uri.parse().map_err(|_| malformed())?;
            if server.is_websocket() || server.host().is_empty() {
                return Err(malformed());
            }
            if let Some(user) = server.username() {
                auth = password(&decoded(user)?, server.password())?;
            }
            servers.push(server);
        }
        if servers.is_empty() {
            return Err(SettingError::new(URIS[0], "name a server: nats://HOST:PORT"));
        }
        let inbox_prefix = settings.text(INBOX_PREFIX).unwrap_or(inbox).to_owned();
        if !crate::settings::is_subject(&inbox_prefix) {
            return Err(SettingError::new(INBOX_PREFIX[0], "a subject without wildcards"));
        }
        let seconds = settings.number(PING_INTERVAL[0], PING_INTERVAL_DEFAULT, 1..=3_600)?;
        let (ca, ping_interval) = (certificates(settings).await?, Duration::from_secs(seconds));
        // Who says where to, says as whom: the provider's own keys are not for any server that a link names.
        let auth = keys(&settings.one_level(&[URIS, JWT, SEED]))?.unwrap_or(auth);
        Ok(Self { servers, auth, ca, inbox_prefix, ping_interval })
    }

    /// What tells this login from every other: not for logs.
    pub(crate) fn key(&self) -> String {
        let auth = match &self.auth {
            Auth::None => String::new(),
            Auth::Password(user, password) => format!("password\n{user}\n{password}"),
            Auth::Token(token) => format!("token\n{token}"),
            Auth::Seed(seed) => format!("seed\n{seed}"),
            Auth::Jwt { jwt, seed } => format!("jwt\n{jwt}\n{seed}"),
        };
        let servers: Vec<_> = self.servers.iter().map(ServerAddr::as_url_str).collect();
        let rest = (&self.ca, &self.inbox_prefix, self.ping_interval);
        format!("{servers:?}\n{auth}\n{rest:?}")
    }

    pub(crate) fn servers(&self) -> Vec<ServerAddr> {
        self.servers.clone()
    }

    /// How to connect once. A connection that breaks is tried once more by the client, at each server; what goes on after that is
    /// [`Server`](crate::server::Server)'s, which lets nothing wait in line for a connection that may never come.
    pub(crate) fn options(&self) -> Result<ConnectOptions, String> {
        let options = ConnectOptions::new()
            .name("wattle-messaging-nats")
            .connection_timeout(CONNECT_WAIT)
            .client_capacity(COMMANDS_MAX)
            .subscription_capacity(READ_AHEAD_MAX)
            .custom_inbox_prefix(&self.inbox_prefix)
            .ping_interval(self.ping_interval)
            .max_reconnects(self.servers.len());
        let options = match &self.ca {
            Some(pem) => options.require_tls(true).tls_client_config(trusting(pem)?),
            None => options,
        };
        Ok(match &self.auth {
            Auth::None => options,
            Auth::Password(user, password) => {
                options.user_and_password(user.clone(), password.clone())
            }
            Auth::Token(token) => options.token(token.clone()),
            Auth::Seed(seed) => options.nkey(seed.clone()),
            Auth::Jwt { jwt, seed } => options
                .credentials(&credentials(jwt, seed))
                .map_err(|_| "auth_jwt and auth_seed are not a user's token and seed")?,
        })
    }
}

fn malformed() -> SettingError {
    // The URL is not repeated: it may hold a password.
    SettingError::new(URIS[0], "nats://[USER:PASSWORD@]HOST[:PORT] or tls://…, separated by commas")
}

/// A URL's user: with a password, or alone as a token.
fn password(user: &str, password: Option<&str>) -> Result<Auth, SettingError> {
    Ok(match password {
        Some(password) => Auth::Password(user.to_owned(), decoded(password)?),
        None => Auth::Token(user.to_owned()),
    })
}

/// Text of a URL in which some characters stand as `%` and two hex digits.
fn decoded(text: &str) -> Result<String, SettingError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| first == b'%');
        let byte =
            digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

fn keys(settings: &Settings<'_>) -> Result<Option<Auth>, SettingError> {
    let seed = settings.text(SEED).map(str::to_owned);
    match (settings.text(JWT).map(str::to_owned), seed) {
        (Some(jwt), Some(seed)) => Ok(Some(Auth::Jwt { jwt, seed })),
        (None, Some(seed)) => Ok(Some(Auth::Seed(seed))),
        (Some(_), None) => Err(SettingError::new(SEED[0], "the seed that belongs to auth_jwt")),
        (None, None) => Ok(None),
    }
}

/// A token and its seed in the form of a credentials file, which is what the client reads.
fn credentials(jwt: &str, seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

async fn certificates(settings: &Settings<'_>) -> Result<Option<Vec<u8>>, SettingError> {
    let pem = match (settings.text(TLS_CA), settings.text(TLS_CA_FILE)) {
        (Some(pem), _) if pem.contains("-----BEGIN") => pem.as_bytes().to_vec(),
        (Some(path), _) | (None, Some(path)) => read(path).await?,
        (None, None) => return Ok(None),
    };
    trusting(&pem).map_err(|reason| SettingError::new(TLS_CA[0], reason))?;
    Ok(Some(pem))
}

async fn read(path: &str) -> Result<Vec<u8>, SettingError> {
    let failed =
        |error: std::io::Error| SettingError::new(TLS_CA_FILE[0], format!("{path}: {error}"));
    let len = tokio::fs::metadata(path).await.map_err(failed)?.len();
    if len > CA_LEN_MAX {
        let text = format!("{path} has {len} bytes, the limit is {CA_LEN_MAX}");
        return Err(SettingError::new(TLS_CA_FILE[0], text));
    }
    tokio::fs::read(path).await.map_err(failed)
}

/// TLS that trusts these certificates only.
fn trusting(pem: &[u8]) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let added = certificate.map(|certificate| roots.add(certificate));
        if !matches!(added, Ok(Ok(()))) {
            return Err("it is no certificate in PEM".into());
        }
    }
    if roots.is_empty() {
        return Err("there is no certificate in it".into());
    }
    let ring = rustls::crypto::ring::default_provider().into();
    let config = rustls::ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The servers, never the login.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, server) in self.servers.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{}:{}", server.host(), server.port())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    async fn login(pairs: &[(&str, &str)]) -> Result<Login, SettingError> {
        let link = pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Login::from_settings(&Settings::new(&link, &BTreeMap::new()), "_INBOX.test").await
    }

    #[tokio::test]
    async fn a_login_is_in_the_url_or_in_settings_and_never_shown() {
        let several = login(&[("uris", "nats://geheim:ge%2Dheim@one:1,two")]).await.expect("good");
        assert_eq!(several.to_string(), "one:1,two:4222");
        assert!(several.auth == Auth::Password("geheim".into(), "ge-heim".into()));
        let token = login(&[("url", "nats://geheim@one")]).await.expect("good");
        assert!(token.auth == Auth::Token("geheim".into()));
        for login in [several, token] {
            assert!(!format!("{login} {login:?}").contains("geheim"));
        }
        let error = login(&[("url", "http://geheim@one")]).await.expect_err("no NATS");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }

    #[tokio::test]
    async fn a_server_and_its_keys_come_from_one_level() {
        let provider = [("url", "nats://own"), ("auth_seed", "own")];
        let provider = provider.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        for (name, value, auth) in [
            ("url", "nats://other", Auth::None),
            ("auth_seed", "link", Auth::Seed("link".into())),
            ("stream", "S", Auth::Seed("own".into())),
        ] {
            let link = [(name.to_owned(), value.to_owned())].into();
            let login = Login::from_settings(&Settings::new(&link, &provider), "_INBOX.test").await;
            assert!(login.expect("a login").auth == auth, "{name}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_a_login_is_refused_by_its_name() {
        for (settings, name) in [
            (&[][..], "cluster_uris"),
            (&[("url", "nats://one"), ("auth_jwt", "x")], "auth_seed"),
            (&[("url", "nats://one"), ("tls_ca", "-----BEGIN nothing")], "tls_ca"),
            (&[("url", "nats://one"), ("tls_ca_file", "/nowhere")], "tls_ca_file"),
            (&[("url", "nats://one"), ("custom_inbox_prefix", "a.*")], "custom_inbox_prefix"),
            (&[("url", "nats://one"), ("ping_interval_sec", "0")], "ping_interval_sec"),
        ] {
            assert_eq!(login(settings).await.expect_err(name).name, name);
        }
    }
}
