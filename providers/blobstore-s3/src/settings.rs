//! Which S3, and with whose key, from a link's and the provider's settings.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use wattle_blobstore::Failure;

/// All of a link's settings in one, as JSON or that in base64: what wasmCloud's users have.
const CONFIG_JSON: &str = "config_json";
const CONFIG_B64: &str = "config_b64";

/// The region of those who name none.
const REGION_DEFAULT: &str = "us-east-1";

/// How often a request is made where nobody says.
const ATTEMPTS_DEFAULT: u32 = 3;

/// The most attempts: more would take longer than any caller waits.
const ATTEMPTS_MAX: u32 = 10;

/// Which buckets containers are.
type Aliases = BTreeMap<String, String>;

/// A link's settings, understood.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where requests go, without a slash at its end.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The region that new buckets are made in.
    pub bucket_region: String,
    /// Whose key signs.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: String,
    /// What goes with a key that holds for a while only.
    pub session_token: Option<String>,
    /// How often a request is made, where it may be made again.
    pub max_attempts: u32,
    aliases: Aliases,
}

/// Why settings cannot be followed. What they hold is never repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nobody says whose key signs.
    #[error("no key: give access_key_id and secret_access_key, best as --target-secret")]
    NoKey,
    /// Something is not what it has to be.
    #[error("{name} is not {expected}")]
    Malformed {
        /// The setting.
        name: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
}

/// The settings as they come, from either place.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    endpoint: Option<String>,
    region: Option<String>,
    bucket_region: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    max_attempts: Option<u32>,
    aliases: Option<Aliases>,
}

impl Settings {
    /// From a link's settings, and for what those do not say from the provider's. Server and key come from one of the two: a
    /// provider's key never goes to a server that a link has named, nor a link's to the provider's.
    pub fn new(
        link: &BTreeMap<String, String>,
        provider: &BTreeMap<String, String>,
    ) -> Result<Self, SettingsError> {
        let (link, provider) = (Given::read(link)?, Given::read(provider)?);
        let given = match link.says_where_or_whose() {
            true => link.or(provider.without_server_and_key()),
            false => link.or(provider),
        };
        let region = given.region.clone().or(given.bucket_region.clone());
        let region = region.unwrap_or_else(|| REGION_DEFAULT.to_owned());
        let endpoint = match &given.endpoint {
            Some(endpoint) => checked_endpoint(endpoint)?,
            None => format!("https://s3.{region}.amazonaws.com"),
        };
        Ok(Self {
            endpoint,
            bucket_region: given.bucket_region.unwrap_or_else(|| region.clone()),
            region,
            access_key_id: given.access_key_id.ok_or(SettingsError::NoKey)?,
            secret_access_key: given.secret_access_key.ok_or(SettingsError::NoKey)?,
            session_token: given.session_token,
            max_attempts: given.max_attempts.unwrap_or(ATTEMPTS_DEFAULT).clamp(1, ATTEMPTS_MAX),
            aliases: given.aliases.unwrap_or_default(),
        })
    }

    /// The bucket that a container is.
    ///
    /// # Errors
    /// There is no such bucket, and there cannot be one.
    pub fn bucket<'a>(&'a self, container: &'a str) -> Result<&'a str, Failure> {
        let bucket = self.aliases.get(container).map_or(container, String::as_str);
        check_bucket(bucket)?;
        Ok(bucket)
    }
}

/// Whether a bucket can have this name, in whatever S3. Others are never sent: what a server reads out of `%2F` or `?` would be
/// objects that no link has asked for.
pub(crate) fn check_bucket(name: &str) -> Result<(), Failure> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match !name.is_empty() && !name.starts_with('.') && name.bytes().all(known) {
        true => Ok(()),
        false => Err(Failure::other(format!("{name:?} cannot be a bucket's name in S3"))),
    }
}

impl Given {
    /// A setting of its own wins over one in the JSON.
    fn read(settings: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let text = |name: &str| {
            let found = settings.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let own = Self {
            endpoint: text("endpoint"),
            region: text("region"),
            bucket_region: text("bucket_region"),
            access_key_id: text("access_key_id"),
            secret_access_key: text("secret_access_key"),
            session_token: text("session_token"),
            max_attempts: text("max_attempts").map(|text| attempts(&text)).transpose()?,
            aliases: text("aliases").map(|text| aliases(&text)).transpose()?,
        };
        let json = match (text(CONFIG_JSON), text(CONFIG_B64)) {
            (Some(json), _) => json,
            (None, Some(encoded)) => decoded(&encoded)?,
            (None, None) => return Ok(own),
        };
        let malformed = SettingsError::Malformed {
            name: CONFIG_JSON,
            expected: "a JSON object of this provider's settings",
        };
        let json = serde_json::from_str(&json).map_err(|_| malformed)?;
        Ok(own.or(json))
    }

    fn says_where_or_whose(&self) -> bool {
        let said = [&self.endpoint, &self.access_key_id, &self.secret_access_key];
        said.into_iter().chain([&self.session_token]).any(Option::is_some)
    }

    fn without_server_and_key(self) -> Self {
        Self {
            endpoint: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            ..self
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            endpoint: self.endpoint.or(other.endpoint),
            region: self.region.or(other.region),
            bucket_region: self.bucket_region.or(other.bucket_region),
            // A key is one thing: its parts never come from two places.
            access_key_id: self.access_key_id.clone().or(other.access_key_id),
            secret_access_key: match self.access_key_id {
                Some(_) => self.secret_access_key,
                None => other.secret_access_key,
            },
            session_token: match self.access_key_id {
                Some(_) => self.session_token,
                None => other.session_token,
            },
            max_attempts: self.max_attempts.or(other.max_attempts),
            aliases: self.aliases.or(other.aliases),
        }
    }
}

fn decoded(encoded: &str) -> Result<String, SettingsError> {
    let malformed = SettingsError::Malformed { name: CONFIG_B64, expected: "base64 of JSON" };
    let bytes = STANDARD.decode(encoded.trim()).ok();
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or(malformed)
}

fn attempts(text: &str) -> Result<u32, SettingsError> {
    let expected = "a whole number";
    text.parse().map_err(|_| SettingsError::Malformed { name: "max_attempts", expected })
}

fn aliases(text: &str) -> Result<Aliases, SettingsError> {
    let expected = r#"a JSON object of container names and buckets: {"pictures": "acme-pictures"}"#;
    serde_json::from_str(text).map_err(|_| SettingsError::Malformed { name: "aliases", expected })
}

fn checked_endpoint(endpoint: &str) -> Result<String, SettingsError> {
    let malformed = SettingsError::Malformed {
        name: "endpoint",
        expected: "http://HOST[:PORT] or https://…",
    };
    let endpoint = endpoint.trim_end_matches('/');
    let uri: http::Uri = endpoint.parse().map_err(|_| malformed.clone())?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let bare = uri.path() == "/" && uri.query().is_none();
    let plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if known && bare && plain { Ok(endpoint.to_owned()) } else { Err(malformed) }
}

/// The server and the key's name, never the key.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (endpoint, key) = (&self.endpoint, &self.access_key_id);
        f.debug_struct("Settings").field("endpoint", endpoint).field("access_key_id", key).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    const KEY: [(&str, &str); 2] = [("access_key_id", "id"), ("secret_access_key", "geheim")];

    #[test]
    fn what_the_link_does_not_say_the_provider_may() {
        let provider = map(&[KEY[0], KEY[1], ("REGION", "eu-central-1"), ("max_attempts", "1")]);
        let link = map(&[("max_attempts", "5"), ("aliases", r#"{"a": "b"}"#)]);
        let settings = Settings::new(&link, &provider).expect("all is said");
        assert_eq!(settings.endpoint, "https://s3.eu-central-1.amazonaws.com");
        assert_eq!(settings.bucket_region, "eu-central-1");
        assert_eq!(settings.max_attempts, 5);
        assert_eq!((settings.bucket("a"), settings.bucket("c")), (Ok("b"), Ok("c")));
    }

    #[test]
    fn all_may_come_in_one_setting() {
        let json = r#"{"access_key_id": "id", "secret_access_key": "geheim", "max_attempts": 2,
            "endpoint": "http://127.0.0.1:9000/", "aliases": {"a": "b"}, "sts_config": null}"#;
        let encoded = STANDARD.encode(json);
        for (name, value) in [(CONFIG_JSON, json), (CONFIG_B64, &encoded)] {
            let settings = Settings::new(&map(&[(name, value)]), &map(&[])).expect("all is said");
            assert_eq!(settings.endpoint, "http://127.0.0.1:9000");
            assert_eq!((settings.max_attempts, settings.bucket("a")), (2, Ok("b")));
        }
    }

    #[test]
    fn a_name_that_leads_out_of_a_bucket_is_none_s() {
        let aliases = r#"{"empty": "", "up": "..", "within": "b/folder", "good": "b.c-d_E1"}"#;
        let settings = map(&[KEY[0], KEY[1], ("aliases", aliases)]);
        let settings = Settings::new(&settings, &map(&[])).expect("all is said");
        assert_eq!(settings.bucket("good"), Ok("b.c-d_E1"));
        for name in ["empty", "up", "within", "b%2Fo", "b?x=", "b#", "b&c", "b c", "b:c", "ä", "~"]
        {
            assert!(matches!(settings.bucket(name), Err(Failure::Store(_))), "{name}");
        }
    }

    #[test]
    fn a_key_is_never_mixed_from_two() {
        let provider = map(&[KEY[0], KEY[1]]);
        for name in ["access_key_id", "secret_access_key", "session_token"] {
            let link = map(&[(name, "other")]);
            assert_eq!(Settings::new(&link, &provider), Err(SettingsError::NoKey));
        }
        assert_eq!(Settings::new(&map(&[]), &map(&[])), Err(SettingsError::NoKey));
    }

    #[test]
    fn no_key_goes_to_a_server_that_its_giver_did_not_name() {
        let provider = map(&[KEY[0], KEY[1], ("endpoint", "http://127.0.0.1:9000")]);
        let link = map(&[("endpoint", "https://elsewhere.example")]);
        assert_eq!(Settings::new(&link, &provider), Err(SettingsError::NoKey));
        let json = map(&[(CONFIG_JSON, r#"{"endpoint": "https://elsewhere.example"}"#)]);
        assert_eq!(Settings::new(&json, &provider), Err(SettingsError::NoKey));
        let link = map(&[("access_key_id", "other"), ("secret_access_key", "other")]);
        let settings = Settings::new(&link, &provider).expect("all is said");
        assert_eq!(settings.endpoint, "https://s3.us-east-1.amazonaws.com");
        let settings = Settings::new(&map(&[]), &provider).expect("all is said");
        assert_eq!(settings.endpoint, "http://127.0.0.1:9000");
    }

    #[test]
    fn what_is_malformed_is_named_and_not_repeated() {
        for (name, value) in [
            ("endpoint", "geheim"),
            ("endpoint", "ftp://geheim"),
            ("endpoint", "https://geheim@host"),
            ("endpoint", "https://host/geheim"),
            ("max_attempts", "geheim"),
            ("aliases", "geheim"),
            (CONFIG_JSON, "geheim"),
            (CONFIG_B64, "geheim!"),
        ] {
            let settings = map(&[KEY[0], KEY[1], (name, value)]);
            let error = Settings::new(&settings, &map(&[])).expect_err(value);
            assert!(!format!("{error} {error:?}").contains("geheim"), "{error:?}");
        }
        let settings = Settings::new(&map(&KEY), &map(&[])).expect("all is said");
        assert!(!format!("{settings:?}").contains("geheim"));
    }
}
