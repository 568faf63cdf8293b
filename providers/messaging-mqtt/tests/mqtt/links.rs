//! Links: which hold, what they hear, how they send, and what is left of them.

use std::{fs, sync::Arc};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rumqttc::v5::mqttbytes::QoS;
use tempfile::TempDir;
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use wattle_core::{Constraints, provider::Side};
use wattle_messaging::{Failure, Kind, SUBJECTS};

use crate::{
    host::{Host, actor},
    scene::{PATIENCE, Received, Scene, host, pairs},
    server::{LOOK_PAUSE, Server},
    stranger::Stranger,
};

/// More than any link takes: 64 MB.
const HUGE: usize = 64 << 20;

/// Who may do what.
const ACL: &str = "user reader\ntopic read #\nuser writer\ntopic write only/this\n";

/// A broker with these rules, and the folder that they are in.
async fn guarded() -> (Server, TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let acl = dir.path().join("acl");
    fs::write(&acl, ACL).expect("a file");
    let lines = format!("allow_anonymous true\nacl_file {}", acl.display());
    (Server::start_with(&lines).await, dir)
}

#[tokio::test]
async fn a_link_that_cannot_hold_says_why_and_not_the_password() {
    let server = Server::start_with("allow_anonymous false").await;
    let host = Host::start(env!("CARGO_BIN_EXE_wattle-messaging-mqtt"), pairs(&[])).await;
    let wrong = server.url().replace("mqtt://", "mqtt://user:falsch@");
    let unknown = Constraints::from([("tables".to_owned(), vec![])]);
    let none = Constraints::new;
    let refused = [
        (Side::Target, unknown.clone(), pairs(&[("url", &wrong)]), "tables"),
        (Side::Source, unknown, pairs(&[("url", &wrong), ("subscriptions", "a")]), "tables"),
        (Side::Target, none(), pairs(&[]), "url"),
        (Side::Target, none(), pairs(&[("url", &wrong)]), "mqtt at"),
        (Side::Target, none(), pairs(&[("url", &server.url())]), "mqtt at"),
        (Side::Target, none(), pairs(&[("url", &wrong), ("urll", "x")]), "urll"),
        (Side::Source, none(), pairs(&[("url", &wrong)]), "subscriptions"),
    ];
    for (side, constraints, config, named) in refused {
        let reason = host.put(host.next(), side, constraints, config).await.expect_err(named);
        assert!(reason.contains(named) && !reason.contains("falsch"), "{named}: {reason}");
    }
}

#[tokio::test]
async fn what_the_broker_s_own_rules_forbid_is_denied() {
    let (server, _rules) = guarded().await;
    let host = host(&server).await;
    for qos in ["1", "2"] {
        let config = pairs(&[("username", "writer"), ("url", &server.url()), ("qos", qos)]);
        let sender = host.sender(Constraints::new(), config).await.expect("a link");
        sender.publish("only/this", b"", None).await.expect("it is allowed");
        let failure = sender.publish("other", b"", None).await.expect_err("it is not");
        assert_eq!(failure.kind, Kind::Denied, "{failure}");
    }
}

#[tokio::test]
async fn a_link_holds_although_the_broker_is_down_and_works_once_it_is_there() {
    let mut server = Server::start().await;
    let host = host(&server).await;
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
async fn a_hundred_links_that_came_and_went_leave_no_connection() {
    let scene = Scene::start().await;
    let _stays = scene.sender(&[]).await;
    let before = scene.server.clients();
    for _ in 0..100 {
        let link = scene.handler(&[("subscriptions", "a/+")], Received::all().0).await;
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
async fn each_quality_of_service_gets_a_message_there_and_back() {
    let scene = Scene::start().await;
    for qos in ["0", "1", "2"] {
        let (actor, mut received) = Received::all();
        let topic = format!("of/{qos}");
        scene.handler(&[("subscriptions", &topic), ("qos", qos)], actor).await;
        let sender = scene.sender(&[("qos", qos)]).await;
        for _ in 0..100 {
            sender.publish(&topic, qos.as_bytes(), Some("answers")).await.expect("it is up");
            let message = received.next().await;
            assert_eq!((&*message.subject, &*message.body), (&*topic, qos.as_bytes()));
            assert_eq!(message.reply_to.as_deref(), Some("answers"));
        }
        assert!(received.now().is_none(), "each once");
    }
}

#[tokio::test]
async fn what_is_retained_comes_with_a_new_subscription_where_the_link_wants_it() {
    let scene = Scene::start().await;
    let sender = scene.sender(&[("retain", "true")]).await;
    sender.publish("state", b"on", None).await.expect("it is kept");
    let (actor, mut received) = Received::all();
    scene.handler(&[("subscriptions", "state|")], actor).await;
    assert_eq!(received.text().await, "on");
    let (actor, mut received) = Received::all();
    scene.handler(&[("subscriptions", "state|"), ("retained", "false")], actor).await;
    sender.publish("state", b"off", None).await.expect("it is kept");
    assert_eq!(received.text().await, "off", "and nothing came before it");
}

#[tokio::test]
async fn topics_fall_into_parts_at_slashes_and_an_answer_s_data_is_no_part_of_one() {
    let scene = Scene::start().await;
    let patterns = vec!["a/*/c".to_owned(), "exactly".to_owned()];
    let constraints = Constraints::from([(SUBJECTS.to_owned(), patterns)]);
    let sender = scene.host.sender(constraints, pairs(&[])).await.expect("a link");
    for allowed in ["a/b/c", "a/b.b/c", "exactly", "exactly#00ff"] {
        sender.publish(allowed, b"", None).await.expect(allowed);
    }
    for denied in ["a/b/c/d", "a.b.c", "exactly/not", "other#00"] {
        let failure = sender.publish(denied, b"", None).await.expect_err(denied);
        assert_eq!(failure.kind, Kind::Denied);
    }
    let open = scene.sender(&[]).await;
    for invalid in ["a/+", "a/#", "#", "a#no-digits", "a#0"] {
        let failure = open.publish(invalid, b"", None).await.expect_err(invalid);
        assert_eq!(failure.kind, Kind::Invalid, "{invalid}: {failure}");
    }
}

/// How these messages fail while a request over the same link waits for its answer. It comes: the link's connection is the one that it was.
async fn failures_beside_a_request(
    scene: &Scene,
    qos: &str,
    messages: &[(&str, &[u8])],
) -> Vec<Failure> {
    let (asked, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (asks, gate) = (Arc::clone(&asked), Arc::clone(&go_on));
    let answering = Arc::new(scene.sender(&[]).await);
    let answers = actor(move |message| {
        asks.add_permits(1);
        let (gate, answering) = (Arc::clone(&gate), Arc::clone(&answering));
        async move {
            gate.acquire().await.expect("open").forget();
            let reply_to = message.reply_to.expect("somebody waits");
            let sent = answering.publish(&reply_to, b"pong", None).await;
            Ok(sent.map_err(|failure| failure.to_string()))
        }
    });
    let ping = format!("ping/{qos}");
    scene.handler(&[("subscriptions", &ping)], answers).await;
    let sender = scene.sender(&[("qos", qos)]).await;
    let meanwhile = async {
        asked.acquire().await.expect("open").forget();
        let mut failures = Vec::new();
        for (topic, body) in messages {
            failures.push(sender.publish(topic, body, None).await.expect_err("it is refused"));
        }
        go_on.add_permits(1);
        failures
    };
    let (answer, failures) = futures::join!(sender.request(&ping, b"", 10_000), meanwhile);
    assert_eq!(&*answer.expect("nothing else fails").body, b"pong");
    failures
}

#[tokio::test]
async fn a_topic_for_which_a_broker_would_end_the_connection_is_invalid_and_nothing_else_fails() {
    let scene = Scene::start().await;
    let topics = ["a/\u{1}", "a/\u{7f}", "a/\u{fdd0}", "\u{ffff}", "\u{10fffe}#00"];
    let messages = topics.map(|topic| (topic, &b""[..]));
    for failure in failures_beside_a_request(&scene, "1", &messages).await {
        assert_eq!(failure.kind, Kind::Invalid, "{failure}");
    }
}

#[tokio::test]
async fn a_message_past_the_broker_s_own_limit_is_too_large() {
    let server = Server::start_with("allow_anonymous true\nmessage_size_limit 1000").await;
    let host = host(&server).await;
    let scene = Scene { server, host };
    for qos in ["1", "2"] {
        let sender = scene.sender(&[("qos", qos)]).await;
        let failure = sender.publish("a", &[7; 1_001], None).await.expect_err("it is too long");
        assert_eq!(failure.kind, Kind::TooLarge, "{failure}");
        // Mosquitto 2.0 says so, and may close the connection then, which comes back.
        let sent = async {
            while let Err(failure) = sender.publish("a", &[7; 1_000], None).await {
                let is_away = matches!(failure.kind, Kind::Unavailable | Kind::Interrupted);
                assert!(is_away, "{failure}");
            }
        };
        timeout(PATIENCE, sent).await.expect("it is up again");
    }
}

#[tokio::test]
async fn a_message_past_the_limit_never_comes_in_and_one_gigabyte_is_refused_by_its_size() {
    let scene = Scene::start().await;
    let (actor, mut received) = Received::all();
    scene.handler(&[("subscriptions", "a"), ("max_in_flight", "1")], actor).await;
    let sender = scene.sender(&[]).await;
    let before = scene.host.peak_memory();
    let stranger = Stranger::listening(&scene.server, "elsewhere").await;
    let huge = stranger.client.publish("a", QoS::AtMostOnce, false, vec![7; HUGE]);
    huge.await.expect("it is sent");
    let failure = sender.publish("a", &vec![0; 1 << 30], None).await.expect_err("a gigabyte");
    assert_eq!(failure.kind, Kind::TooLarge);
    sender.publish("a", b"small", None).await.expect("it is up");
    assert_eq!(received.text().await, "small");
    let more = scene.host.peak_memory().saturating_sub(before);
    assert!(more < HUGE as u64 / 4, "{more} bytes for what does not come in");
}

#[tokio::test]
async fn a_broker_proves_who_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    fs::write(&certificate, cert.pem()).expect("a file");
    fs::write(&key, signing_key.serialize_pem()).expect("a file");
    let lines = format!(
        "allow_anonymous true\ncafile {0}\ncertfile {0}\nkeyfile {1}",
        certificate.display(),
        key.display()
    );
    let server = Server::start_with(&lines).await;
    let url = server.url().replace("mqtt:", "mqtts:");
    let host = Host::start(env!("CARGO_BIN_EXE_wattle-messaging-mqtt"), pairs(&[])).await;
    let file = certificate.to_str().expect("text");
    for (name, value) in [("tls_ca_file", file), ("tls_ca", cert.pem().as_str())] {
        let config = pairs(&[("url", &url), (name, value)]);
        let sender = host.sender(Constraints::new(), config).await.expect("a link");
        sender.publish("a", b"", None).await.expect("it is the right one");
    }
    let CertifiedKey { cert: other, .. } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let config = pairs(&[("url", &url), ("tls_ca", &other.pem())]);
    let sender = host.sender(Constraints::new(), config).await.expect("it holds, and is not up");
    let failure = sender.publish("a", b"", None).await.expect_err("it is another");
    assert_eq!(failure.kind, Kind::Unavailable, "{failure}");
}
