//! HTTP/2 and TLS.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, StatusCode};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::CertifiedKey;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::ring},
};

use crate::{
    client::{AnyBody, empty, full, get, read},
    host::Host,
};

type Http2 = http2::SendRequest<AnyBody>;

async fn http2_over<S>(stream: S) -> Http2
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    client
}

async fn http2_client(address: SocketAddr) -> Http2 {
    http2_over(TcpStream::connect(address).await.expect("the address is served")).await
}

#[tokio::test]
async fn http2_is_spoken_without_tls_to_whoever_begins_with_it() {
    let host = Host::start().await;
    let address = host.serve(1, &[]).await;
    let mut client = http2_client(address).await;
    let request = Request::get("http://shop.test/describe").body(empty()).expect("a request");
    let answer = read(client.send_request(request).await.expect("an answer")).await;
    assert_eq!(answer.text(), "link 1\nGET http://shop.test/describe\n");
    assert!(answer.header("x-request-id").is_some());
}

#[tokio::test]
async fn streams_of_one_http2_connection_do_not_wait_for_each_other() {
    let host = Host::start().await;
    let client = http2_client(host.serve(1, &[]).await).await;
    let send = |request: Request<AnyBody>| {
        let mut client = client.clone();
        async move { read(client.send_request(request).await.expect("an answer")).await }
    };
    let mut hanging = client.clone();
    let hang = Request::get("http://a/hang").body(empty()).expect("a request");
    let hanging = tokio::spawn(async move { hanging.send_request(hang).await });
    host.actor.until(|calls| calls.begun == 1).await;

    let uploads = (1..=20_usize).map(|number| {
        let body = full(vec![b'x'; number * 50_000]);
        send(Request::post("http://a/echo").body(body).expect("a request"))
    });
    let answers = futures::future::join_all(uploads).await;
    for (number, answer) in (1..).zip(answers) {
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, number * 50_000));
    }
    hanging.abort(); // resets the one stream
    host.actor.until(|calls| calls.cancelled == 1).await;
    let request = Request::get("http://a/").body(empty()).expect("a request");
    assert_eq!(send(request).await.text(), "hello\n");
}

#[tokio::test]
async fn refusals_and_limits_hold_for_http2_too() {
    let host = Host::start().await;
    let address = host.serve(1, &[("max_body_bytes", "1000"), ("path", "/measure")]).await;
    let mut client = http2_client(address).await;
    let request = Request::post("http://a/measure").body(full(vec![0; 1001])).expect("a request");
    let answer = client.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let get = |path: &str| Request::get(format!("http://a{path}"));
    let request = get("/other").body(empty()).expect("a request");
    let answer = client.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let many = (0..150).fold(get("/measure"), |get, number| get.header("x", number));
    let answer = client.send_request(many.body(empty()).expect("a request")).await;
    assert_eq!(answer.expect("an answer").status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    assert_eq!(host.actor.calls.borrow().begun, 0);
}

#[tokio::test]
async fn an_answer_that_has_no_body_has_none_over_http2_either() {
    let host = Host::start().await;
    let address = host.serve(1, &[("path", "/")]).await;
    let mut client = http2_client(address).await;
    let mut head = async |path: &str| {
        let request = Request::head(format!("http://a{path}")).body(empty()).expect("a request");
        read(client.send_request(request).await.expect("an answer")).await
    };
    let answer = head("/").await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    assert_eq!(answer.header("content-length"), Some("6"));
    let streamed = head("/source?1000000").await;
    assert_eq!((streamed.status, streamed.body.len()), (StatusCode::OK, 0));
    host.actor.until(|calls| calls.unread == 1).await;
    let failed = head("/fail?overloaded").await;
    assert_eq!((failed.status, failed.body.len()), (StatusCode::SERVICE_UNAVAILABLE, 0));
    let request = Request::get("http://a/empty").body(empty()).expect("a request");
    let answer = read(client.send_request(request).await.expect("an answer")).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::NO_CONTENT, 0));
}

#[tokio::test]
async fn a_client_that_wants_nothing_of_a_stream_holds_no_actor_for_it() {
    let host = Host::start_with(&[("body_idle_timeout_ms", "200")]).await;
    let address = host.serve(1, &[]).await;
    let stream = TcpStream::connect(address).await.expect("the address is served");
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let handshake = builder.initial_stream_window_size(0).handshake(TokioIo::new(stream));
    let (mut client, connection) = handshake.await.expect("HTTP/2");
    tokio::spawn(connection);
    let request = Request::get("http://a/source?100000000").body(empty()).expect("a request");
    let answer = client.send_request(request).await.expect("a head");
    assert_eq!(answer.status(), StatusCode::OK);
    host.actor.until(|calls| calls.unread == 1).await;
    // The connection goes on.
    let request = Request::get("http://a/empty").body(empty()).expect("a request");
    let answer = client.send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
}

/// A certificate for `localhost`, as text.
fn certificate() -> (CertifiedKey<rcgen::KeyPair>, String, String) {
    let certified =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (cert, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    (certified, cert, key)
}

async fn tls_client(
    address: SocketAddr,
    trusted: &CertifiedKey<rcgen::KeyPair>,
    protocol: &[u8],
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.cert.der().clone()).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(address).await.expect("the address is served");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("TLS")
}

#[tokio::test]
async fn tls_serves_http_1_1_and_http_2_as_the_client_prefers() {
    let host = Host::start().await;
    let (trusted, cert, key) = certificate();
    let address = host.serve(1, &[("tls_cert", &cert), ("tls_key", &key)]).await;

    let stream = tls_client(address, &trusted, b"http/1.1").await;
    let (mut client, connection) =
        http1::handshake::<_, AnyBody>(TokioIo::new(stream)).await.expect("HTTP/1.1");
    tokio::spawn(connection);
    let request =
        Request::post("/echo").header("host", "localhost").body(full("a".repeat(100_000)));
    let answer = client.send_request(request.expect("a request")).await.expect("an answer");
    assert_eq!(read(answer).await.body, Bytes::from("a".repeat(100_000)));

    let mut client = http2_over(tls_client(address, &trusted, b"h2").await).await;
    let request = Request::get("https://localhost/describe").body(empty()).expect("a request");
    let answer = read(client.send_request(request).await.expect("an answer")).await;
    assert_eq!(answer.text(), "link 1\nGET https://localhost/describe\n");
}

#[tokio::test]
async fn certificates_may_come_from_files_and_all_links_of_an_address_share_one() {
    let host = Host::start().await;
    let (trusted, cert, key) = certificate();
    let folder = std::env::temp_dir().join(format!("wattle-http-server-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path").to_owned()
    };
    let (cert_file, key_file) = (file("cert.pem", &cert), file("key.pem", &key));
    let files = [("tls_cert_file", cert_file.as_str()), ("tls_priv_key_file", key_file.as_str())];
    let address = host.serve(1, &[&files[..], &[("path", "/a")]].concat()).await;
    std::fs::remove_dir_all(&folder).expect("the folder is removed");

    // Port 0 is each link's own, so the second names the port that the first was given, on a new listener.
    host.delete(1).await;
    let address_text = address.to_string();
    let with_tls = [("address", address_text.as_str()), ("tls_cert", &cert), ("tls_key", &key)];
    host.put(1, &[&with_tls[..], &[("path", "/a")]].concat()).await.expect("a link");
    host.put(2, &[&with_tls[..], &[("path", "/b")]].concat()).await.expect("the same certificate");
    let plain = [("address", address_text.as_str()), ("path", "/c")];
    let error = host.put(3, &plain).await.expect_err("no certificate");
    assert!(error.contains("another certificate"), "{error}");
    let mut client = http2_over(tls_client(address, &trusted, b"h2").await).await;
    let request = Request::get("https://localhost/b").body(empty()).expect("a request");
    assert_eq!(client.send_request(request).await.expect("an answer").status(), StatusCode::OK);
}

#[tokio::test]
async fn a_certificate_that_does_not_serve_fails_the_link_and_is_not_quoted() {
    let host = Host::start().await;
    let (_, cert, _) = certificate();
    let (_, _, other_key) = certificate();
    for (cert, key) in [
        (cert.as_str(), other_key.as_str()),
        (cert.as_str(), "/etc/hostname"),
        ("/etc/hostname", other_key.as_str()),
        ("/no/such/file", other_key.as_str()),
    ] {
        let config = [("address", "127.0.0.1:0"), ("tls_cert", cert), ("tls_key", key)];
        let error = host.put(1, &config).await.expect_err("unusable");
        assert!(!error.contains("BEGIN") && error.len() < 300, "{error}");
    }
    let address = host.serve(1, &[]).await;
    assert_eq!(get(address, "/").await.status, StatusCode::OK);
}
