//! HTTPS: HTTP/2 where the server speaks it, and nobody is trusted who is not to be.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls_pki_types::PrivateKeyDer;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring},
};
use wattle_http::outgoing::ErrorCode;

use crate::{host::Host, web::Web};

/// A server with a certificate of its own for `localhost`, and that certificate.
async fn server(protocols: &[&[u8]]) -> (Web, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("they belong together");
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    (Web::start_with(Some(TlsAcceptor::from(Arc::new(config)))).await, cert.pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_spoken_in_the_version_that_the_server_prefers() {
    let host = Host::start().await;
    for (protocols, version) in
        [(&[b"h2", &b"http/1.1"[..]][..], "HTTP/2.0"), (&[b"http/1.1"], "HTTP/1.1")]
    {
        let (web, pem) = server(protocols).await;
        let link = host.link(&["https://localhost:*"], &[("tls_ca", &pem)]).await;
        let url = format!("https://localhost:{}/see", web.address.port());
        for _ in 0..20 {
            let text = link.get(&url).await.expect("an answer").text().await;
            assert!(text.contains(version), "{text}");
        }
        assert!(web.accepted() <= 10, "{} connections for 20 requests", web.accepted());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let host = Host::start().await;
    let (web, pem) = server(&[]).await;
    let (_, others) = server(&[]).await;
    let port = web.address.port();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &pem).expect("it is written");
    let path = file.path().to_str().expect("a plain name");
    let refused = ErrorCode::TlsCertificateError;
    for (config, host_name, expected) in [
        (vec![], "localhost", Some(refused)),
        (vec![("tls_ca", others.as_str())], "localhost", Some(refused)),
        (vec![("tls_ca", pem.as_str())], "127.0.0.1", Some(refused)),
        (vec![("tls_ca_file", path)], "localhost", None),
    ] {
        let link = host.link(&["https://*:*"], &config).await;
        let url = format!("https://{host_name}:{port}/see");
        let code = link.get(&url).await.err().map(|error| error.code);
        assert_eq!(code, expected, "{host_name} {config:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_no_https() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = host.link(&["https://*:*"], &[]).await;
    let code = link.failure(&format!("https://{}/see", web.address)).await;
    assert_eq!(code, ErrorCode::TlsProtocolError);
}
