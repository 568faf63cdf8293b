//! TLS to PostgreSQL: who is believed, and who is not.

use wattle_postgres::PgValue;

use super::{
    SOON,
    link::{caller, link, value},
    server::{Server, until},
};

const ENCRYPTED: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

#[tokio::test]
async fn a_server_is_believed_by_its_certificate_or_not_at_all() {
    let ours = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let theirs =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (ours.cert.pem(), ours.signing_key.serialize_pem());
    let files = [("server.crt", certificate.as_str()), ("server.key", key.as_str())];
    let server = Server::start_with(&["ssl=on"], &files).await;
    let dir = tempfile::tempdir().expect("a folder");
    let ca = |name: &str, pem: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).expect("a file");
        path.to_str().expect("a plain path").to_owned()
    };
    let (right, wrong) = (ca("right.pem", &certificate), ca("wrong.pem", &theirs.cert.pem()));
    for (settings, encrypted) in [
        (vec![("tls_ca_file", right.as_str())], true),
        (vec![("tls", "verify-full"), ("tls_ca_file", &right)], true),
        (vec![("tls", "require")], true),
        (vec![("tls", "prefer")], true),
        (vec![], true),
        (vec![("tls", "disable")], false),
    ] {
        let database = caller(server.settings(&settings)).await;
        let found = value(&database, ENCRYPTED).await;
        assert_eq!(found, Ok(PgValue::Bool(encrypted)), "{settings:?}");
    }
    for settings in [
        vec![("tls_ca_file", wrong.as_str())],
        vec![("tls", "verify-full")],
        vec![("POSTGRES_TLS_REQUIRED", "true")],
        vec![("tls_ca_file", "/nowhere/ca.pem")],
    ] {
        let reason = link(&server.settings(&settings)).await.err().expect("not believed");
        assert!(reason.contains("TLS") || reason.contains("tls_ca_file"), "{reason}");
    }
}

#[tokio::test]
async fn a_cancellation_goes_over_tls_too() {
    let ours = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (ours.cert.pem(), ours.signing_key.serialize_pem());
    let files = [("server.crt", certificate.as_str()), ("server.key", key.as_str())];
    let server = Server::start_with(&["ssl=on"], &files).await;
    let settings = [("tls", "require"), ("statement_timeout_ms", "3000"), ("pool_size", "1")];
    let database = caller(server.settings(&settings)).await;
    assert!(value(&database, "SELECT pg_sleep(60)").await.is_err());
    until(SOON, "cancelled", async || server.log().contains("due to user request")).await;
    until(SOON, "it goes on", async || value(&database, "SELECT 1").await.is_ok()).await;
}
