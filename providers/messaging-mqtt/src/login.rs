//! Which broker a link is to, and as whom, from the link's and the provider's settings.

mod tls;

use std::{fmt, time::Duration};

use wattle_messaging::{SettingError, Settings};

use self::tls::certificates;
pub(crate) use self::tls::{TLS_CA, TLS_CA_FILE, Tls};

/// The broker. Others' names for it are known, too.
pub(crate) const URL: &[&str] = &["url", "uri", "default_url"];
/// Who logs in, where the URL does not say so.
pub(crate) const USERNAME: &[&str] = &["username"];
/// With which password.
pub(crate) const PASSWORD: &[&str] = &["password"];
/// Seconds after which a broker from which nothing comes is given up, and gives us up.
pub(crate) const KEEP_ALIVE: &[&str] = &["keep_alive_sec"];

const KEEP_ALIVE_DEFAULT: u16 = 5;
const PORT: u16 = 1883;
const PORT_TLS: u16 = 8883;

/// What a URL has to look like. None is repeated: it may hold a password.
const FORM: &str = "mqtt://[USER:PASSWORD@]HOST[:PORT], or mqtts://… with TLS";

/// A broker, with what it takes to log in.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<Tls>,
    /// The password may be missing.
    pub(crate) user: Option<(String, Option<String>)>,
    pub(crate) keep_alive: Duration,
}

impl Login {
    /// From a link's settings, else from the provider's. Who says where to, says as whom: the provider's own password is not for any
    /// broker that a link names.
    pub(crate) async fn from_settings(settings: &Settings<'_>) -> Result<Self, SettingError> {
        let one = settings.one_level(&[URL, USERNAME, PASSWORD]);
        let url = one.text(URL).or_else(|| settings.text(URL)).ok_or_else(malformed)?;
        let parts = Parts::parse(url).ok_or_else(malformed)?;
        let named = one.text(USERNAME).map(|user| (user.to_owned(), None));
        let user = named
            .or(parts.user)
            .map(|(user, password)| (user, one.text(PASSWORD).map(str::to_owned).or(password)));
        if user.is_none() && one.text(PASSWORD).is_some() {
            return Err(SettingError::new(USERNAME[0], "whose password it is"));
        }
        check_len(user.as_ref())?;
        let ca = certificates(settings).await?;
        let tls = match (parts.tls, ca) {
            (true, ca) => Some(Tls::new(&parts.host, ca)?),
            (false, None) => None,
            (false, Some(_)) => {
                return Err(SettingError::new(
                    URL[0],
                    "mqtts://…, as there are certificates for it",
                ));
            }
        };
        let seconds = settings.number(KEEP_ALIVE[0], KEEP_ALIVE_DEFAULT, 1..=3_600)?;
        let port = parts.port.unwrap_or(if parts.tls { PORT_TLS } else { PORT });
        let keep_alive = Duration::from_secs(seconds.into());
        Ok(Self { host: parts.host, port, tls, user, keep_alive })
    }

    /// Whether both are to one broker, as whomever: that is where a session is.
    pub(crate) fn is_to_broker_of(&self, other: &Self) -> bool {
        (&self.host, self.port) == (&other.host, other.port)
    }
}

/// The broker, never the login.
impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn malformed() -> SettingError {
    SettingError::new(URL[0], format!("name a broker: {FORM}"))
}

/// MQTT has two bytes for a text's length.
fn check_len(user: Option<&(String, Option<String>)>) -> Result<(), SettingError> {
    let max = usize::from(u16::MAX);
    let Some((user, password)) = user else { return Ok(()) };
    if user.len() > max || password.as_ref().is_some_and(|password| password.len() > max) {
        let text = format!("it and its password have at most {max} bytes");
        return Err(SettingError::new(USERNAME[0], text));
    }
    Ok(())
}

struct Parts {
    tls: bool,
    user: Option<(String, Option<String>)>,
    host: String,
    port: Option<u16>,
}

impl Parts {
    fn parse(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let tls = match scheme {
            "mqtt" | "tcp" => false,
            "mqtts" | "ssl" => true,
            _ => return None,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, address) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((login, address)) => {
                let (user, password) = match login.split_once(':') {
                    None => (login, None),
                    Some((user, password)) => (user, Some(decoded(password)?)),
                };
                (Some((decoded(user)?, password)), address)
            }
        };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
            _ => (address, None),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
            return None;
        }
        Some(Self { tls, user, host: host.to_owned(), port })
    }
}

/// Text of a URL in which some characters stand as `%` and two hex digits.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| first == b'%');
        let byte =
            digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    async fn login(link: &[(&str, &str)], own: &[(&str, &str)]) -> Result<Login, SettingError> {
        let all = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
        };
        Login::from_settings(&Settings::new(&all(link), &all(own))).await
    }

    #[tokio::test]
    async fn a_url_says_where_to_and_as_whom() {
        let found = login(&[("url", "mqtt://user:ge%3Aheim@host")], &[]).await.expect("a broker");
        assert_eq!((found.host.as_str(), found.port), ("host", PORT));
        assert_eq!(found.user, Some(("user".into(), Some("ge:heim".into()))));
        assert_eq!(found.to_string(), "host:1883", "never the login");
        let found = login(&[("URL", "mqtt://[::1]:7/"), ("username", "u")], &[]).await;
        let found = found.expect("a broker");
        assert_eq!(
            (found.host.as_str(), found.port, found.user),
            ("::1", 7, Some(("u".into(), None)))
        );
    }

    #[tokio::test]
    async fn a_link_s_broker_does_not_get_the_provider_s_password() {
        let own = [("url", "mqtt://own"), ("username", "u"), ("password", "geheim")];
        let found = login(&[("url", "mqtt://other")], &own).await.expect("a broker");
        assert_eq!(found.user, None);
        let found = login(&[], &own).await.expect("a broker");
        assert_eq!(found.user, Some(("u".into(), Some("geheim".into()))));
    }

    #[tokio::test]
    async fn what_is_no_broker_is_refused_and_not_repeated() {
        for url in
            ["", "geheim", "http://geheim", "mqtt://geheim@", "mqtt://a:geheim", "mqtt://a/geheim"]
        {
            let error = login(&[("url", url)], &[]).await.err().expect(url);
            assert!(!error.to_string().contains("geheim"), "{error}");
        }
        let ca = [("url", "mqtt://host"), ("tls_ca", "-----BEGIN nothing")];
        assert_eq!(login(&ca, &[]).await.err().expect("no TLS").name, "url");
    }
}
