//! Links: which hold, and what is left of them.

use async_nats::jetstream;
use tokio::time::{sleep, timeout};
use wattle_core::{Constraints, provider::Side};
use wattle_messaging::Kind;

use crate::{
    scene::{PATIENCE, Received, Scene, pairs},
    server::{LOOK_PAUSE, Server},
};

#[tokio::test]
async fn a_link_that_cannot_hold_says_why_and_not_the_password() {
    let lines = "authorization { user: u, password: richtig }";
    let Scene { server, host } = Scene::start_with(lines).await;
    let url = |user: &str| server.url().replace("nats://", &format!("nats://{user}@"));
    let (right, wrong) = (url("u:richtig"), url("u:falsch"));
    let unknown = Constraints::from([("tables".to_owned(), vec![])]);
    let none = Constraints::new;
    let login = async_nats::ConnectOptions::with_user_and_password("u".into(), "richtig".into());
    let context = jetstream::new(login.connect(server.url()).await.expect("it is up"));
    let all = jetstream::stream::Config {
        name: "ALL".into(),
        subjects: vec!["all.>".into()],
        ..Default::default()
    };
    context.create_stream(all).await.expect("a stream");
    let round = [("url", right.as_str()), ("stream", "ALL"), ("dead_letter_subject", "all.dead")];
    let refused = [
        (Side::Target, unknown.clone(), pairs(&[("url", &right)]), "tables"),
        (Side::Source, unknown, pairs(&[("url", &right), ("subscriptions", "a")]), "tables"),
        (Side::Target, none(), pairs(&[("url", &wrong)]), "authorization"),
        (Side::Target, none(), pairs(&[("url", &server.url())]), "authorization"),
        (Side::Target, none(), pairs(&[("url", &right), ("urll", "x")]), "urll"),
        (Side::Source, none(), pairs(&[("url", &right)]), "subscriptions"),
        (Side::Source, none(), pairs(&[("url", &right), ("stream", "NONE")]), "NONE"),
        (Side::Target, none(), pairs(&[("url", &right), ("stream", "NONE")]), "NONE"),
        (Side::Source, none(), pairs(&round), "dead_letter_subject"),
    ];
    for (side, constraints, config, named) in refused {
        let reason = host.put(host.next(), side, constraints, config).await.expect_err(named);
        assert!(reason.contains(named) && !reason.contains("falsch"), "{named}: {reason}");
    }
    let sender = host.sender(none(), pairs(&[("url", &right)])).await.expect("a link");
    sender.publish("any", b"", None).await.expect("it holds");
}

#[tokio::test]
async fn a_server_is_believed_only_with_a_certificate_from_those_that_were_given() {
    let files = tempfile::tempdir().expect("a folder");
    let pair = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a pair");
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&cert, pair.cert.pem()).expect("a file");
    std::fs::write(&key, pair.signing_key.serialize_pem()).expect("a file");
    let lines = format!("tls {{ cert_file: {cert:?}, key_file: {key:?} }}");
    let Scene { server: _server, host } = Scene::start_with(&lines).await;

    let reason = host.sender(Constraints::new(), pairs(&[])).await.expect_err("a stranger");
    assert!(reason.contains("TLS") || reason.contains("certificate"), "{reason}");
    let (pem, path) = (pair.cert.pem(), cert.to_str().expect("text").to_owned());
    for trusted in [("tls_ca", pem.as_str()), ("tls_ca_file", &path), ("tls_ca", &path)] {
        let sender = host.sender(Constraints::new(), pairs(&[trusted])).await.expect("a link");
        sender.publish("any", b"", None).await.expect("it is believed");
    }
}

#[tokio::test]
async fn a_seed_is_a_login_and_another_is_refused() {
    let (user, seed) = USER;
    let lines = format!("authorization {{ users: [ {{ nkey: {user} }} ] }}");
    let Scene { server: _server, host } = Scene::start_with(&lines).await;
    let config = pairs(&[("auth_seed", seed)]);
    let sender = host.sender(Constraints::new(), config).await.expect("a link");
    sender.publish("any", b"", None).await.expect("it is known");
    let reason = host.sender(Constraints::new(), pairs(&[])).await.expect_err("nobody");
    assert!(reason.contains("authorization"), "{reason}");
}

/// A user's key and its seed, of the nkeys' own documentation: no secret.
const USER: (&str, &str) = (
    "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4",
    "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
);

#[tokio::test]
async fn a_link_holds_although_nats_is_down_and_works_once_it_is_there() {
    let mut server = Server::start().await;
    let host = crate::scene::host(&server).await;
    server.kill();
    let (actor, mut received) = Received::all();
    let sender = host.sender(Constraints::new(), pairs(&[])).await.expect("a link");
    host.handler(pairs(&[("subscriptions", "a")]), actor).await.expect("a link");
    let failure = sender.publish("a", b"early", None).await.expect_err("nothing is there");
    assert_eq!(failure.kind, Kind::Unavailable);
    server.restart().await;
    let arrived = async {
        while received.now().is_none() {
            let _ = sender.publish("a", b"late", None).await;
            sleep(LOOK_PAUSE).await;
        }
    };
    timeout(PATIENCE, arrived).await.expect("a message arrives");
}

#[tokio::test]
async fn a_hundred_links_that_came_and_went_leave_no_connection_and_no_subscription() {
    let scene = Scene::start().await;
    let stays = scene.sender(&[]).await;
    stays.publish("any", b"", None).await.expect("it is up, and has said what it listens to");
    let before = scene.server.clients();
    for round in 0..100 {
        // A login of its own every time, as each has a connection.
        let inbox = format!("_INBOX.round{round}");
        let config = [("custom_inbox_prefix", inbox.as_str()), ("subscriptions", "a.>")];
        let stream = ["STREAM", "create_stream"];
        let kept = [&config[..], &[("stream", stream[0]), (stream[1], "true")]].concat();
        let config = if round % 2 == 0 { &config[..] } else { &kept };
        let link = scene.handler(config, Received::all().0).await;
        scene.host.delete(link).await;
    }
    let gone = async {
        while scene.server.clients() != before {
            sleep(LOOK_PAUSE).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("all are gone");
}

#[tokio::test]
async fn a_link_that_is_put_again_replaces_the_one_before() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::all();
    let link = scene.handler(&[("subscriptions", "old")], actor).await;
    let new = pairs(&[("subscriptions", "new")]);
    scene.host.put(link, Side::Source, Constraints::new(), new).await.expect("a link");
    let sender = scene.sender(&[]).await;
    for subject in ["old", "new"] {
        sender.publish(subject, subject.as_bytes(), None).await.expect("it is up");
    }
    assert_eq!(received.text().await, "new");
    assert!(received.now().is_none(), "nothing of the old one");
}

#[tokio::test]
async fn a_gigabyte_is_refused_by_its_size() {
    let scene = Scene::start().await;
    let sender = scene.sender(&[]).await;
    sender.publish("a", b"small", None).await.expect("it is up");
    let before = scene.host.peak_memory();
    let failure = sender.publish("a", &vec![0; 1 << 30], None).await.expect_err("a gigabyte");
    assert_eq!(failure.kind, Kind::TooLarge);
    sender.publish("a", b"small", None).await.expect("it is up");
    let more = scene.host.peak_memory().saturating_sub(before);
    assert!(more < 8 << 20, "{more} bytes for what is not sent");
}
