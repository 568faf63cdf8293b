//! One value of the constraint `allowed-hosts`: `[METHOD,… ]SCHEME://HOST[:PORT][/PATH]`.

use std::{net::IpAddr, str::FromStr};

use http::{Method, Uri};

/// The most bytes of a rule.
const RULE_LEN_MAX: usize = 1_024;

/// How often a path may be encoded over and over: what is not plain then passes no rule with a path.
const DECODINGS_MAX: usize = 3;

/// What may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Any, where none is named.
    methods: Vec<Method>,
    scheme: Scheme,
    host: Host,
    /// Any, where there is none.
    port: Option<u16>,
    /// Segments that the path begins with.
    path: Vec<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Any,
}

/// The host's part of a rule, or of a request's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Any,
    /// Every name that ends with a dot and this.
    Below(Box<str>),
    Name(Box<str>),
    Address(IpAddr),
}

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} does not say what may be asked for: {reason}; write [METHOD,… ]SCHEME://HOST[:PORT][/PATH], such as \
     https://api.example.com, https://*.example.com:8443/v1 or GET,HEAD http://*"
)]
pub struct RuleError {
    text: String,
    reason: &'static str,
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let wrong = |reason| RuleError { text: text.chars().take(200).collect(), reason };
        if text.len() > RULE_LEN_MAX {
            return Err(wrong("it is too long"));
        }
        let (methods, address) = match text.trim().rsplit_once(' ') {
            Some((methods, address)) => (methods, address),
            None => ("", text.trim()),
        };
        let methods = methods.split(',').map(str::trim).filter(|method| !method.is_empty());
        let methods = methods.map(|method| method.parse().map_err(|_| wrong("a method is none")));
        let (scheme, rest) = address.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
        let scheme = match scheme {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            "*" => Scheme::Any,
            _ => return Err(wrong("the scheme is neither http nor https nor *")),
        };
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, path),
            None => (rest, ""),
        };
        let (host, port) = split_port(authority).ok_or_else(|| wrong("the port is none"))?;
        let port = match (port, scheme) {
            (Some("*"), _) | (None, Scheme::Any) => None,
            (Some(port), _) => Some(port.parse().map_err(|_| wrong("the port is none"))?),
            (None, Scheme::Http) => Some(80),
            (None, Scheme::Https) => Some(443),
        };
        let path = path.strip_suffix('*').unwrap_or(path);
        if path.contains(['*', '?', '#', '%', '\\']) {
            return Err(wrong("a path is plain segments, without query, * or %"));
        }
        Ok(Self {
            methods: methods.collect::<Result<_, _>>()?,
            scheme,
            host: Host::of_rule(host).ok_or_else(|| wrong("the host is none"))?,
            port,
            path: path.split('/').filter(|segment| !segment.is_empty()).map(Into::into).collect(),
        })
    }
}

/// Host and port of an authority. A colon within brackets belongs to the address.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let after = authority.rfind(']').map_or(0, |end| end + 1);
    match authority[after..].split_once(':') {
        Some((_, "")) => None,
        Some((before, port)) => Some((&authority[..after + before.len()], Some(port))),
        None => Some((authority, None)),
    }
}

impl Host {
    fn of_rule(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        match text.strip_prefix("*.") {
            Some(below) => match Self::of(below)? {
                Self::Name(name) => Some(Self::Below(name)),
                _ => None,
            },
            None => Self::of(text),
        }
    }

    /// The host of a request's address. Names are the same in lower case and without the root's dot.
    pub(super) fn of(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        (name.len() <= 253 && name.split('.').all(is_label)).then(|| Self::Name(name.into()))
    }

    fn covers(&self, asked: &Self) -> bool {
        match (self, asked) {
            (Self::Any, _) => true,
            (Self::Below(below), Self::Name(name)) => {
                name.strip_suffix(&**below).is_some_and(|rest| rest.ends_with('.'))
            }
            _ => self == asked,
        }
    }
}

impl Rule {
    /// Whether the request is one of those that this allows. `host` is the URI's.
    pub(super) fn allows(&self, method: &Method, uri: &Uri, host: &Host) -> bool {
        let (scheme, default_port) = match uri.scheme_str() {
            Some("http") => (Scheme::Http, 80),
            Some("https") => (Scheme::Https, 443),
            _ => return false,
        };
        (self.methods.is_empty() || self.methods.contains(method))
            && (self.scheme == Scheme::Any || self.scheme == scheme)
            && self.host.covers(host)
            && self.port.is_none_or(|port| port == uri.port_u16().unwrap_or(default_port))
            && self.allows_path(uri.path())
    }

    /// Whether the rule names this very address, which makes it one that may be connected to.
    pub(super) fn names(&self, address: IpAddr) -> bool {
        self.host == Host::Address(address.to_canonical())
    }

    /// Segment by segment. A path that some server could take for one elsewhere (`/v1/../admin`, encoded however often) is none of
    /// those below `/v1`.
    fn allows_path(&self, path: &str) -> bool {
        if self.path.is_empty() {
            return true;
        }
        let plain = decoded(path).filter(|path| !path.contains(char::is_control));
        let Some(plain) = plain else { return false };
        // Servers differ in what they leave out of a segment: `..;x` and `.. ` are `..` to some.
        let bare =
            |segment: &str| matches!(segment.split(';').next().map(str::trim), Some("." | ".."));
        let mut asked = plain.split(['/', '\\']).filter(|segment| !segment.is_empty());
        !plain.split(['/', '\\']).any(bare)
            && self.path.iter().all(|segment| asked.next() == Some(segment))
    }
}

/// The path without percent-encoding; none where it is encoded more often than anybody does, or is not UTF-8.
fn decoded(path: &str) -> Option<String> {
    let mut path = path.to_owned();
    for _ in 0..DECODINGS_MAX {
        if !path.contains('%') {
            return Some(path);
        }
        path = once_decoded(&path)?;
    }
    (!path.contains('%')).then_some(path)
}

fn once_decoded(path: &str) -> Option<String> {
    let mut plain = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        plain.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(rule: &str, method: &str, uri: &str) -> bool {
        let rule: Rule = rule.parse().expect(rule);
        let uri: Uri = uri.parse().expect(uri);
        let host = Host::of(uri.host().expect("a host")).expect("a good host");
        rule.allows(&method.parse().expect("a method"), &uri, &host)
    }

    #[test]
    fn a_rule_is_for_its_scheme_host_and_port() {
        let rule = "https://api.example.com";
        for fine in [
            "https://api.example.com/x?y",
            "https://API.Example.com:443/",
            "https://api.example.com./",
        ] {
            assert!(allows(rule, "POST", fine), "{fine}");
        }
        for other in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://example.com/",
            "https://xapi.example.com/",
            "https://api.example.com.evil.org/",
            "https://api.example.com@evil.org/",
        ] {
            assert!(!allows(rule, "POST", other), "{other}");
        }
    }

    #[test]
    fn a_star_stands_for_names_below_a_port_or_everything() {
        let rule = "*://*.example.com:*";
        assert!(allows(rule, "GET", "http://a.b.example.com:81/"));
        assert!(!allows(rule, "GET", "http://example.com/"));
        assert!(!allows(rule, "GET", "http://badexample.com/"));
        assert!(!allows("http://*.0.0.1.example", "GET", "http://127.0.0.1/"));
        assert!(allows("http://*:*", "GET", "http://127.0.0.1:9/"));
        assert!(allows("*://*", "GET", "https://[::1]:9/"));
    }

    #[test]
    fn methods_are_those_that_are_named() {
        let rule = "GET, HEAD https://a.example";
        assert!(allows(rule, "HEAD", "https://a.example/"));
        assert!(!allows(rule, "POST", "https://a.example/"));
        assert!(!allows(rule, "get", "https://a.example/"), "methods have one spelling");
    }

    #[test]
    fn a_path_is_whole_segments_and_there_is_no_way_around_it() {
        let rule = "https://a.example/v1/items";
        for fine in ["/v1/items", "/v1/items/", "/v1/items/7?x=..", "/v1/%69tems", "//v1/items"] {
            assert!(allows(rule, "GET", &format!("https://a.example{fine}")), "{fine}");
        }
        for other in [
            "/",
            "/v1",
            "/v1/itemsx",
            "/v1/items/../../admin",
            "/v1/items/%2e%2e/%2E%2E/admin",
            "/v1/items/..%2fadmin",
            "/v1/items/%252e%252e/admin",
            "/v1/items/..;/..;/admin",
            "/v1/items/..;a=b/admin",
            "/v1/items/..%20/admin",
            "/v1/items/..%09/admin",
            "/v1/items/..%00/admin",
            "/v1/items/..\\admin",
            "/v1/items/%25252525252e",
            "/v1/items/%ff",
            "/v1/items/%",
        ] {
            let uri = format!("https://a.example{other}");
            let Ok(uri) = uri.parse::<Uri>() else { continue };
            assert!(!allows(rule, "GET", &uri.to_string()), "{other}");
        }
    }

    #[test]
    fn an_address_is_the_same_however_it_is_written() {
        let rule: Rule = "http://[::ffff:10.0.0.1]:*".parse().expect("a rule");
        assert!(rule.names("10.0.0.1".parse().expect("an address")));
        assert!(allows("http://10.0.0.1", "GET", "http://[::ffff:10.0.0.1]/"));
    }

    #[test]
    fn what_is_no_rule_says_why() {
        for wrong in [
            "",
            "example.com",
            "ftp://example.com",
            "https://",
            "https://*.",
            "https://a..b",
            "https://*.10.0.0.1",
            "https://a:b",
            "https://a:",
            "https://a:99999",
            "https://a/x*y",
            "https://a/x?y",
            "https://a/../b%2e",
            "https://user@a",
            "G(T https://a",
        ] {
            let error = wrong.parse::<Rule>().expect_err(wrong);
            assert!(error.to_string().contains("such as"), "{error}");
        }
        assert!(format!("https://{}", "a".repeat(2_000)).parse::<Rule>().is_err());
    }
}
