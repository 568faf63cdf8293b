//! A link's certificate and key, from files or as text.

use std::{io, sync::Arc};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, ServerConfig, crypto::ring},
};

use crate::settings::TlsSettings;

/// A client that takes longer to shake hands is not served.
pub(crate) const HANDSHAKE_MAX: std::time::Duration = std::time::Duration::from_secs(10);

pub(crate) const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Bytes of a PEM file.
const PEM_LEN_MAX: u64 = 1024 * 1024;

/// Why a link's TLS settings cannot be used. Never says what a file contains.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {setting} {path:?}: {source}")]
    Read { setting: &'static str, path: String, source: io::Error },
    #[error("tls_cert has no certificate in PEM")]
    NoCertificate,
    #[error("tls_key has no private key in PEM")]
    NoKey,
    #[error("certificate and key do not serve: {0}")]
    Refused(#[from] rustls::Error),
}

/// A certificate chain with its key. Links that share an address share these.
pub(crate) struct Tls {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    acceptor: TlsAcceptor,
}

impl Tls {
    pub(crate) async fn load(settings: &TlsSettings) -> Result<Self, Error> {
        let cert = pem("tls_cert", &settings.cert).await?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&cert)
            .collect::<Result<_, _>>()
            .map_err(|_| Error::NoCertificate)?;
        if chain.is_empty() {
            return Err(Error::NoCertificate);
        }
        let key = pem("tls_key", &settings.key).await?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| Error::NoKey)?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain.clone(), key.clone_key())?;
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(Self { chain, key, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.chain == other.chain && self.key == other.key
    }
}

/// PEM text, or what the file of this name has.
async fn pem(setting: &'static str, value: &str) -> Result<Vec<u8>, Error> {
    if value.trim_start().starts_with("-----BEGIN") {
        return Ok(value.as_bytes().to_vec());
    }
    let read = async {
        let len = tokio::fs::metadata(value).await?.len();
        if len > PEM_LEN_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        tokio::fs::read(value).await
    };
    read.await.map_err(|source| Error::Read {
        setting,
        path: value.chars().take(200).collect(),
        source,
    })
}
