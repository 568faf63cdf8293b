//! A manifest from the web.

use std::{net::IpAddr, time::Duration};

use http::Uri;
use ureq::{
    Agent,
    tls::{Certificate, RootCerts, TlsConfig},
};
use wattle_wadm::manifest::TEXT_LEN_MAX;

use super::manifest::as_utf8;
use crate::{exit::Exit, problem::Problem};

/// How long all of it may take.
const FETCH_MAX: Duration = Duration::from_secs(30);

/// Whether what a user wrote is a URL and not a file.
pub(super) fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// Fetches a manifest. What anybody on the way could change is not taken: `http` only from this machine.
pub(super) async fn text(url: &str) -> Result<String, Problem> {
    let uri: Uri = url.parse().map_err(|error| usage(url, &format!("{error}")))?;
    let is_secure = uri.scheme_str() == Some("https");
    if !is_secure && !is_this_machine(&uri) {
        return Err(usage(url, "anybody on the way could change it").next("use https://"));
    }
    let asked = url.to_owned();
    let fetched = tokio::task::spawn_blocking(move || fetch(&asked, is_secure)).await;
    let bytes = fetched.unwrap_or_else(|error| Err(error.to_string()));
    bytes.and_then(as_utf8).map_err(|why| Problem::new(Exit::Failed, format!("{url}: {why}")))
}

fn usage(url: &str, what: &str) -> Problem {
    Problem::new(Exit::Usage, format!("{url}: {what}"))
}

fn is_this_machine(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn fetch(url: &str, is_secure: bool) -> Result<Vec<u8>, String> {
    // A redirect must not lead where the URL itself could not have.
    let mut config = Agent::config_builder();
    if !is_secure {
        // Nor must somebody else's proxy answer for this machine.
        config = config.proxy(None);
    }
    let config = config
        .https_only(is_secure)
        .max_redirects(if is_secure { 5 } else { 0 })
        .timeout_global(Some(FETCH_MAX))
        .tls_config(TlsConfig::builder().root_certs(roots()).build())
        .build();
    let mut response = Agent::new_with_config(config).get(url).call().map_err(say)?;
    if !response.status().is_success() {
        return Err(response.status().to_string());
    }
    let body = response.body_mut().with_config().limit(TEXT_LEN_MAX as u64);
    body.read_to_vec().map_err(say)
}

fn say(error: ureq::Error) -> String {
    match error {
        ureq::Error::BodyExceedsLimit(_) => format!("a manifest has at most {TEXT_LEN_MAX} bytes"),
        error => error.to_string(),
    }
}

/// Those that this machine trusts, which an organisation's own may be among; where it has none, Mozilla's.
fn roots() -> RootCerts {
    let known = rustls_native_certs::load_native_certs().certs;
    if known.is_empty() {
        return RootCerts::WebPki;
    }
    let owned: Vec<Certificate<'static>> =
        known.iter().map(|known| Certificate::from_der(known).to_owned()).collect();
    RootCerts::from(owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_asked_without_tls() {
        for (url, is_here) in [
            ("http://127.0.0.1:8000/wadm.yaml", true),
            ("http://[::1]/wadm.yaml", true),
            ("http://localhost/wadm.yaml", true),
            ("http://localhost.example.com/wadm.yaml", false),
            ("http://10.0.0.5/wadm.yaml", false),
        ] {
            assert!(is_url(url));
            assert_eq!(is_this_machine(&url.parse().expect("a URL")), is_here, "{url}");
        }
        assert!(!is_url("wadm.yaml") && !is_url("-"));
    }
}
