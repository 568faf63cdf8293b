//! The main job: actors answer over HTTP and keep their state through a provider.

use std::time::Duration;

use wattle_testing::{Guest, HTTP, KEY_VALUE, Lattice, Redis, Turn, eventually, free_port, http};

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_answers_over_http_and_to_its_user() {
    let lattice = Lattice::start().await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    let response = hello.get("/").await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.header("x-request-id").is_some(), "{response:?}");
    let said = lattice.wattle(&["call", "hello", "/"]).await.ok();
    assert_eq!(said.stdout.trim_end(), response.text().trim_end());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_counts_in_a_file_and_goes_on_counting_after_everything_was_stopped() {
    let lattice = Lattice::start().await;
    lattice.provider("keyvalue-embedded").await;
    let counter = lattice.serve(Guest::Counter, "counter").await;
    lattice.link("counter", "keyvalue-embedded", KEY_VALUE, &[]).await;
    assert_eq!(counter.get("/hits").await.text().trim(), r#"{"counter":1}"#);
    assert_eq!(counter.get("/hits").await.text().trim(), r#"{"counter":2}"#);
    assert_eq!(counter.get("/other").await.text().trim(), r#"{"counter":1}"#);

    lattice.wattle(&["down"]).await.ok();
    lattice.up(&[]).await;
    let again = eventually("the counter answers again", Duration::from_secs(10), async || {
        counter.try_get("/hits").await.ok().filter(|response| response.status == 200)
    })
    .await;
    assert_eq!(again.text().trim(), r#"{"counter":3}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_counts_in_redis() {
    let redis = Redis::start().await;
    let lattice = Lattice::start().await;
    lattice.provider("keyvalue-redis").await;
    let counter = lattice.serve(Guest::Counter, "counter").await;
    let url = format!("url={}", redis.url());
    lattice.link("counter", "keyvalue-redis", KEY_VALUE, &["--target", &url]).await;
    assert_eq!(counter.get("/hits").await.text().trim(), r#"{"counter":1}"#);
    assert_eq!(counter.get("/hits").await.text().trim(), r#"{"counter":2}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_http_server_serves_many_actors_at_one_address_by_path_and_by_host() {
    let lattice = Lattice::start().await;
    lattice.provider("http-server").await;
    lattice.actor(Guest::Hello, "hello").await;
    lattice.actor(Guest::Kit, "kit").await;
    let address = format!("127.0.0.1:{}", free_port());
    let at = format!("address={address}");
    let put = async |target: &str, route: &str| {
        lattice
            .wattle(&[
                "link",
                "put",
                "http-server",
                target,
                HTTP,
                "--source",
                &at,
                "--source",
                route,
            ])
            .await
    };
    put("hello", "path=/hello").await.ok();
    put("kit", "host=kit.example").await.ok();
    let by_path = http(&address, "GET", "/hello", &[], b"").await.expect("an answer");
    assert!(by_path.text().starts_with("Hello"), "{by_path:?}");
    let headers = [("host", "kit.example")];
    let by_host = http(&address, "GET", "/", &headers, b"").await.expect("an answer");
    assert_eq!(by_host.text(), "kit\n");
    let nowhere = http(&address, "GET", "/other", &[], b"").await.expect("an answer");
    assert_eq!(nowhere.status, 404);

    // The same route for another actor is a conflict that is said, and the first one stays.
    put("kit", "path=/hello").await.code(6).naming(&["/hello"]);
    let by_path = http(&address, "GET", "/hello", &[], b"").await.expect("an answer");
    assert!(by_path.text().starts_with("Hello"), "{by_path:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_a_failed_link_that_says_so() {
    let lattice = Lattice::start().await;
    lattice.provider("http-server").await;
    lattice.actor(Guest::Hello, "hello").await;
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let at = format!("address={address}");
    let put = ["link", "put", "http-server", "hello", HTTP, "--source", &at];
    let said = lattice.wattle(&put).await.naming(&[&address]);
    assert_ne!(said.code, 0, "{said}");
    drop(taken);
    lattice.wattle(&put).await.ok();
    let response = http(&address, "GET", "/", &[], b"").await.expect("an answer");
    assert_eq!(response.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_gets_a_fresh_instance_that_sees_nothing_of_the_machine() {
    let lattice = Lattice::start().await;
    let kit = lattice.serve(Guest::Kit, "kit").await;
    for _ in 0..3 {
        assert_eq!(kit.get("/fresh").await.text(), "1\n");
    }
    for path in ["/file", "/socket"] {
        let text = kit.get(path).await.text();
        assert!(text.starts_with("refused"), "{path}: {text}");
    }
    assert_eq!(kit.get("/environment").await.text(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_reads_its_config_and_writes_its_log() {
    let lattice = Lattice::start().await;
    lattice.wattle(&["config", "put", "greeting", "word=hej", "mark=!"]).await.ok();
    lattice.actor_with(Guest::Kit, "kit", &["--config", "greeting"]).await;
    let kit = lattice.expose("kit").await;
    assert_eq!(kit.get("/config?key=word").await.text(), "hej");
    assert_eq!(kit.get("/config?key=none").await.status, 404);
    assert_eq!(kit.get("/log?message=a-line-of-mine&level=warn").await.status, 200);
    eventually("the line is in the log", Duration::from_secs(5), async || {
        let said = lattice.wattle(&["logs", "kit"]).await;
        said.stdout.contains("a-line-of-mine").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_read_where_it_is_used_and_shown_and_sent_nowhere() {
    const SECRET: &str = "correct-horse-battery-staple";
    let lattice = Lattice::prepare(Turn::shared().await);
    let folder = lattice.path().join("secrets");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("db-password"), format!("{SECRET}\n")).expect("a file");
    lattice.up(&["--secrets-dir", &folder.to_string_lossy()]).await;
    let plain = lattice.wattle(&["config", "put", "db", &format!("password={SECRET}")]).await;
    plain.code(2).naming(&["--secret"]);
    lattice.wattle(&["config", "put", "db", "--secret", "password=db-password"]).await.ok();
    lattice.actor_with(Guest::Kit, "kit", &["--config", "db"]).await;
    let kit = lattice.expose("kit").await;
    assert_eq!(kit.get("/config?key=password").await.text(), SECRET);
    for command in [&["config", "get", "db"][..], &["get", "inventory", "-o", "json"], &["logs"]] {
        let said = lattice.wattle(command).await.ok();
        assert!(!said.mentions(SECRET), "{said}");
    }
    lattice.wattle(&["config", "put", "other", "--secret", "password=missing"]).await.ok();
    let signed = lattice.path().join("kit.wasm").to_string_lossy().into_owned();
    let start = ["start", "actor", &signed, "--id", "second", "--config", "other"];
    lattice.wattle(&start).await.code(4).naming(&["missing", "--secrets-dir"]);
    let kept = std::fs::read_dir(lattice.project().join("host/state/records")).expect("records");
    for file in kept {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("a record");
        assert!(!text.contains(SECRET));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_started_twice_runs_once_and_down_leaves_no_process() {
    let lattice = Lattice::start().await;
    let hello = lattice.serve(Guest::Hello, "hello").await;
    let provider = lattice.provider_process("http-server").await;
    let host = lattice.host();
    let name = lattice.inventory().await["name"].as_str().expect("a name").to_owned();
    lattice.up(&["--name", &name]).await;
    lattice.provider("http-server").await;
    lattice.expose_again("hello", &hello).await;
    assert_eq!(lattice.host(), host);
    assert_eq!(lattice.provider_process("http-server").await, provider);

    let nats = lattice.nats_server();
    lattice.wattle(&["down"]).await.ok();
    for process in [host, provider, nats] {
        process.gone(Duration::from_secs(1)).await;
    }
    assert!(hello.try_get("/").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scaled_actor_takes_no_more_calls_than_it_may() {
    let lattice = Lattice::start().await;
    lattice.actor_with(Guest::Kit, "kit", &["--instances", "1", "--queue", "1"]).await;
    let kit = lattice.expose("kit").await;
    let calls = (0..4).map(|_| kit.get("/sleep?ms=1000"));
    let statuses: Vec<u16> =
        futures::future::join_all(calls).await.iter().map(|response| response.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 2, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 503).count(), 2, "{statuses:?}");
    lattice.wattle(&["scale", "actor", "kit", "0"]).await.ok();
    assert_eq!(kit.get("/").await.status, 503);
    lattice.wattle(&["scale", "actor", "kit", "5"]).await.ok();
    assert_eq!(kit.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_turn_does_not_come_is_told_that_it_did_not_run() {
    let lattice = Lattice::start().await;
    let limits = ["--instances", "1", "--deadline", "3s"];
    lattice.actor_with(Guest::Kit, "kit", &limits).await;
    let kit = lattice.expose("kit").await;
    let calls = (0..3).map(|_| kit.get("/sleep?ms=2500"));
    let mut statuses: Vec<u16> =
        futures::future::join_all(calls).await.iter().map(|response| response.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 503, 503]);
    let status = lattice.actor_status("kit").await;
    assert_eq!(status["failures"], serde_json::json!({ "overloaded": 2 }), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_wait_when_new_code_comes_are_answered_by_the_old() {
    let lattice = Lattice::start().await;
    lattice.actor_with(Guest::Kit, "kit", &["--instances", "1"]).await;
    let kit = lattice.expose("kit").await;
    let calls = futures::future::join_all((0..20).map(|_| kit.get("/sleep?ms=200")));
    let replaced = async {
        eventually("calls wait", Duration::from_secs(5), async || {
            let status = lattice.actor_status("kit").await;
            status["queued"].as_u64().filter(|queued| *queued > 5)
        })
        .await;
        // The same component with another limit is another actor, in the place of the first.
        let file = lattice.path().join("kit.wasm").to_string_lossy().into_owned();
        let start = ["start", "actor", &file, "--id", "kit", "--instances", "1", "--queue", "77"];
        lattice.wattle(&start).await.ok();
    };
    let (answers, ()) = tokio::join!(calls, replaced);
    for answer in answers {
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}
