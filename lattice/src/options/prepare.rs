//! From what a user gives to what the NATS client takes: everything that can be wrong before a connection is tried.

use std::path::Path;

use async_nats::ServerAddr;

use super::{Auth, ConnectOptions, Tls};
use crate::ConnectError;

/// Options that can work.
pub(crate) struct Prepared {
    pub(crate) options: async_nats::ConnectOptions,
    pub(crate) servers: Vec<ServerAddr>,
    /// The servers without credentials, for errors and logs.
    pub(crate) shown: String,
}

/// The client's options for identity, encryption and addresses. Files are read here, so that a missing one is said at once.
pub(crate) async fn prepare(given: &ConnectOptions) -> Result<Prepared, ConnectError> {
    let servers = addresses(&given.servers)?;
    let shown: Vec<String> = servers.iter().map(shown).collect();
    let options = async_nats::ConnectOptions::new().name(&given.client_name);
    let options = with_tls(options, &given.tls)?;
    let options = match (&given.auth, servers.iter().find(|server| server.has_user_pass())) {
        (Auth::None, Some(server)) => options.user_and_password(
            percent_decoded(server.username().unwrap_or_default()),
            percent_decoded(server.password().unwrap_or_default()),
        ),
        (auth, _) => with_auth(options, auth).await?,
    };
    Ok(Prepared { options, servers, shown: shown.join(", ") })
}

fn addresses(given: &[String]) -> Result<Vec<ServerAddr>, ConnectError> {
    let refused = |text: &str| ConnectError::Options(text.to_owned());
    if given.is_empty() {
        return Err(refused("no NATS server is given"));
    }
    let parse = |text: &String| {
        let address: ServerAddr =
            text.trim().parse().map_err(|_| refused("a NATS server's address is malformed"))?;
        match address.scheme() {
            "nats" | "tls" if !address.host().is_empty() => Ok(address),
            scheme => Err(ConnectError::Options(format!(
                "{scheme}:// is no address of NATS: write nats://HOST:PORT or tls://HOST:PORT"
            ))),
        }
    };
    given.iter().map(parse).collect()
}

/// An address without what may stand in it as user and password.
fn shown(server: &ServerAddr) -> String {
    let host = server.host();
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("{}://{host}:{}", server.scheme(), server.port())
}

fn with_tls(
    mut options: async_nats::ConnectOptions,
    tls: &Tls,
) -> Result<async_nats::ConnectOptions, ConnectError> {
    for file in [&tls.ca, &tls.cert, &tls.key].into_iter().flatten() {
        readable(file)?;
    }
    if let Some(ca) = &tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    options = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => options.add_client_certificate(cert.clone(), key.clone()),
        (None, None) => options,
        _ => {
            let text = "a client certificate for NATS needs its key, and a key its certificate";
            return Err(ConnectError::Options(text.to_owned()));
        }
    };
    // Whoever names an authority or a certificate means to be encrypted.
    Ok(options.require_tls(tls.required || tls.ca.is_some() || tls.cert.is_some()))
}

async fn with_auth(
    options: async_nats::ConnectOptions,
    auth: &Auth,
) -> Result<async_nats::ConnectOptions, ConnectError> {
    let no_credentials = |what: &str| ConnectError::Options(format!("{what} holds no credentials"));
    Ok(match auth {
        Auth::None => options,
        Auth::UserPassword { user, password } => {
            options.user_and_password(user.clone(), password.clone())
        }
        Auth::Token(token) => options.token(token.clone()),
        Auth::Creds(file) => {
            let read = tokio::fs::read_to_string(file).await;
            let text = read.map_err(|error| unreadable(file, &error))?;
            let what = file.display().to_string();
            options.credentials(&text).map_err(|_| no_credentials(&what))?
        }
        Auth::Nkey { seed } if is_user_seed(seed) => options.nkey(seed.trim().to_owned()),
        Auth::Nkey { .. } => return Err(no_credentials("the nkey seed")),
        Auth::Jwt { jwt, seed } if is_user_seed(seed) => options
            .credentials(&credentials(jwt.trim(), seed.trim()))
            .map_err(|_| no_credentials("the pair of JWT and seed"))?,
        Auth::Jwt { .. } => return Err(no_credentials("the pair of JWT and seed")),
    })
}

/// The client takes a JWT with its seed only in this form.
fn credentials(jwt: &str, seed: &str) -> String {
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

/// Looks like one; whether the checksum holds is found when it signs.
fn is_user_seed(text: &str) -> bool {
    const SEED_LEN: usize = 58;
    let text = text.trim();
    text.len() == SEED_LEN
        && text.starts_with("SU")
        && text.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'))
}

fn readable(file: &Path) -> Result<(), ConnectError> {
    std::fs::File::open(file).map(drop).map_err(|error| unreadable(file, &error))
}

fn unreadable(file: &Path, error: &std::io::Error) -> ConnectError {
    ConnectError::Options(format!("{}: {error}", file.display()))
}

/// User and password stand percent-encoded in an address.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = (*first == b'%').then(|| tail.get(..2)).flatten();
        let code = code.and_then(|hex| std::str::from_utf8(hex).ok());
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(options: ConnectOptions) -> String {
        match prepare(&options).await {
            Err(ConnectError::Options(reason)) => reason,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("accepted {options:?}"),
        }
    }

    fn to(server: &str) -> ConnectOptions {
        ConnectOptions { servers: vec![server.to_owned()], ..ConnectOptions::default() }
    }

    #[tokio::test]
    async fn what_can_never_work_is_said_at_once() {
        refused(ConnectOptions::default()).await;
        for server in ["", "http://a", "ws://a", "nats://", "nats://a:99999", "\0"] {
            refused(to(server)).await;
        }
        let creds = Auth::Creds("/nonexistent.creds".into());
        assert!(refused(ConnectOptions { auth: creds, ..to("a") }).await.contains("nonexistent"));
        let nkey = Auth::Nkey { seed: "SUNDRY".to_owned() };
        refused(ConnectOptions { auth: nkey, ..to("a") }).await;
        let tls = Tls { cert: Some("/etc/hostname".into()), ..Tls::default() };
        refused(ConnectOptions { tls, ..to("a") }).await;
    }

    #[tokio::test]
    async fn no_secret_is_shown() {
        let prepared = prepare(&to("nats://joe:s3cret%40@[::1]:4333")).await.expect("fine");
        assert_eq!(prepared.shown, "nats://[::1]:4333");
        let auth = Auth::UserPassword { user: "joe".into(), password: "s3cret".into() };
        assert!(!format!("{auth:?}").contains("s3cret"));
    }

    #[test]
    fn percent_codes_are_bytes_and_anything_else_stands() {
        assert_eq!(percent_decoded("p%40ss%c3%a4"), "p@ssä");
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%4"), "%zz%4");
    }
}
