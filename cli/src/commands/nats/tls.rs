//! The certificate of a server: the user's, or one of our own making.

use std::path::Path;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::{
    Listen,
    files::{Folder, quoted},
};

/// What configuration says of encryption.
pub(super) struct Certificate {
    cert: String,
    key: String,
    /// The authority that clients have to be told, if there is one.
    pub(super) ca: Option<String>,
    /// A name by which the server may be reached.
    pub(super) host: String,
}

impl Certificate {
    /// The certificate that is given, the one in the folder, or a new one.
    pub(super) fn establish(folder: &Folder, listen: &Listen) -> anyhow::Result<Self> {
        let host = listen.tls_host.first().cloned().unwrap_or_else(|| "localhost".to_owned());
        if let (Some(cert), Some(key)) = (&listen.cert, &listen.key) {
            let ca = listen.ca.as_deref().map(absolute).transpose()?;
            return Ok(Self { cert: absolute(cert)?, key: absolute(key)?, ca, host });
        }
        if !folder.has("server.crt") {
            make(folder, &listen.tls_host, &host)?;
        }
        let [cert, key, ca] = ["server.crt", "server.key", "ca.crt"].map(str::to_owned);
        Ok(Self { cert, key, ca: Some(ca), host })
    }

    /// The `tls` block, `indent` deep.
    pub(super) fn block(&self, indent: &str) -> String {
        let (cert, key) = (quoted(&self.cert), quoted(&self.key));
        format!(
            "{indent}tls {{\n{indent}  cert_file: {cert}\n{indent}  key_file: {key}\n{indent}}}\n"
        )
    }
}

fn absolute(path: &Path) -> anyhow::Result<String> {
    let path = path.canonicalize().with_context(|| path.display().to_string())?;
    Ok(path.to_string_lossy().into_owned())
}

/// An authority for this one server, whose key is thrown away: nobody can sign another with it. Whoever wants another
/// certificate deletes `server.crt` and hands out the new `ca.crt`.
fn make(folder: &Folder, names: &[String], host: &str) -> anyhow::Result<()> {
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, format!("NATS of Wattle at {host}"));
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let ca_key = KeyPair::generate().context("a key for the certificate")?;
    let ca_pem = ca.self_signed(&ca_key).context("the authority's certificate")?.pem();
    let names = if names.is_empty() { vec![host.to_owned()] } else { names.to_vec() };
    let mut server = CertificateParams::new(names).context("--tls-host")?;
    server.distinguished_name.push(DnType::CommonName, host);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().context("a key for the certificate")?;
    let signed = server.signed_by(&key, &Issuer::new(ca, ca_key)).context("the certificate")?;
    folder.write("ca.crt", &ca_pem)?;
    folder.write("server.key", &key.serialize_pem())?;
    folder.write("server.crt", &signed.pem())
}
