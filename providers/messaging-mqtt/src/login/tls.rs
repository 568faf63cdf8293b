//! TLS to a broker: which certificates count.

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};
use wattle_messaging::{SettingError, Settings};

/// The certificates that the broker's must come from: PEM.
pub(crate) const TLS_CA: &[&str] = &["tls_ca"];
/// The same, as a file's path.
pub(crate) const TLS_CA_FILE: &[&str] = &["tls_ca_file"];
/// The most bytes of a certificate file.
const CA_LEN_MAX: u64 = 1024 * 1024;

/// How the broker proves who it is.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) name: ServerName<'static>,
    pub(crate) config: Arc<ClientConfig>,
}

impl Tls {
    pub(super) fn new(host: &str, ca: Option<Vec<u8>>) -> Result<Self, SettingError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| super::malformed())?;
        let roots = match &ca {
            Some(pem) => named_roots(pem),
            None => own_roots(),
        };
        let roots = roots.map_err(|reason| SettingError::new(TLS_CA[0], reason))?;
        let config = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(|error| SettingError::new(super::URL[0], error.to_string()))?;
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        Ok(Self { name, config })
    }
}

/// These certificates only.
fn named_roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let added = certificate.map(|certificate| roots.add(certificate));
        if !matches!(added, Ok(Ok(()))) {
            return Err("it is no certificate in PEM".into());
        }
    }
    if roots.is_empty() { Err("there is no certificate in it".into()) } else { Ok(roots) }
}

/// The machine's.
fn own_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err("this machine has no root certificates: name the broker's".into());
    }
    Ok(roots)
}

/// The certificates that settings name.
pub(super) async fn certificates(settings: &Settings<'_>) -> Result<Option<Vec<u8>>, SettingError> {
    match (settings.text(TLS_CA), settings.text(TLS_CA_FILE)) {
        (Some(pem), _) if pem.contains("-----BEGIN") => Ok(Some(pem.as_bytes().to_vec())),
        (Some(path), _) | (None, Some(path)) => read(path).await.map(Some),
        (None, None) => Ok(None),
    }
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
