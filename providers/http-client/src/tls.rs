//! Whom a link trusts: the system's authorities, or those that it names.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto::ring};
use tracing::warn;

/// Bytes of a PEM file.
const PEM_LEN_MAX: u64 = 1024 * 1024;

/// Why a link's authority cannot be used. Never says what a file contains.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read tls_ca_file {path:?}: {source}")]
    Read { path: String, source: io::Error },
    #[error("tls_ca has no certificate in PEM")]
    NoCertificate,
    #[error("TLS cannot be set up: {0}")]
    Refused(#[from] rustls::Error),
}

/// What connections of a link are made with.
pub(crate) async fn config(authority: Option<&str>) -> Result<ClientConfig, Error> {
    let roots = match authority {
        Some(authority) => Arc::new(given(authority).await?),
        None => system(),
    };
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// The system's authorities, read once. Where there are none, https fails for whoever asks for it, and says that the certificate is
/// not known.
fn system() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (added, ignored) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            warn!(ignored, errors = ?found.errors, "the system has no certificate authorities");
        }
        Arc::new(roots)
    };
    Arc::clone(ROOTS.get_or_init(read))
}

/// PEM text, or what the file of this name has.
async fn given(authority: &str) -> Result<RootCertStore, Error> {
    let pem = if authority.trim_start().starts_with("-----BEGIN") {
        authority.as_bytes().to_vec()
    } else {
        read(authority)
            .await
            .map_err(|source| Error::Read { path: authority.chars().take(200).collect(), source })?
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.map_err(|_| Error::NoCertificate)?)?;
    }
    if roots.is_empty() { Err(Error::NoCertificate) } else { Ok(roots) }
}

async fn read(path: &str) -> io::Result<Vec<u8>> {
    let found = tokio::fs::metadata(path).await?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    if found.len() > PEM_LEN_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    tokio::fs::read(path).await
}
