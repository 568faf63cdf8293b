//! Each way in which a request has no answer of an actor: a status, a word, a request id, and nothing of the inside.

use std::time::{Duration, Instant};

use http::{Request, StatusCode};

use crate::{
    client::{Answer, Client, Raw, empty, full, get},
    host::Host,
};

fn word(answer: &Answer) -> &str {
    let id = answer.header("x-request-id").expect("an id");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let start = "{\"error\":\"";
    let end = format!("\",\"request-id\":\"{id}\"}}\n");
    answer.text().strip_prefix(start).and_then(|rest| rest.strip_suffix(&end)).expect("our words")
}

#[tokio::test]
async fn each_kind_of_failure_has_its_status_and_says_nothing_of_the_inside() {
    let host = Host::start().await;
    let mut client = Client::connect(host.serve(1, &[]).await).await;
    for (kind, status) in [
        ("denied", 403),
        ("not-found", 503),
        ("unavailable", 503),
        ("overloaded", 503),
        ("too-large", 413),
        ("malformed", 400),
        ("deadline-exceeded", 504),
        ("interrupted", 502),
        ("trapped", 500),
        ("limit-exceeded", 500),
        ("failed", 500),
    ] {
        let answer = client.get(&format!("/fail?{kind}")).await;
        assert_eq!((answer.status.as_u16(), word(&answer)), (status, kind));
        assert_eq!(answer.header("retry-after").is_some(), status == 503, "{kind}");
    }
}

#[tokio::test]
async fn a_host_that_answers_nonsense_is_a_bad_gateway() {
    let host = Host::start().await;
    let answer = get(host.serve(1, &[]).await, "/no-head").await;
    assert_eq!((answer.status, word(&answer)), (StatusCode::BAD_GATEWAY, "bad-answer"));
}

#[tokio::test]
async fn a_path_without_a_route_is_not_found_and_calls_nobody() {
    let host = Host::start().await;
    let answer = get(host.serve(1, &[("path", "/a")]).await, "/b").await;
    assert_eq!((answer.status, word(&answer)), (StatusCode::NOT_FOUND, "no-route"));
    assert_eq!(host.actor.calls.borrow().begun, 0);
}

#[tokio::test]
async fn an_actor_that_does_not_answer_in_time_is_a_gateway_timeout() {
    let host = Host::start().await;
    let address = host.serve(1, &[("timeout_ms", "150")]).await;
    let begun = Instant::now();
    let answer = get(address, "/hang").await;
    assert_eq!((answer.status, word(&answer)), (StatusCode::GATEWAY_TIMEOUT, "deadline-exceeded"));
    assert!(begun.elapsed() < Duration::from_secs(5));
    host.actor.until(|calls| calls.cancelled == 1).await;
}

#[tokio::test]
async fn a_body_past_the_links_limit_is_too_large_whether_it_says_so_or_not() {
    let host = Host::start().await;
    let address = host.serve(1, &[("max_body_bytes", "1000")]).await;
    let post =
        |len: usize| Request::post("/measure").body(full(vec![b'x'; len])).expect("a request");
    let answer = Client::connect(address).await.send(post(1000)).await;
    assert_eq!(answer.text(), "1000");
    let answer = Client::connect(address).await.send(post(1001)).await;
    assert_eq!((answer.status, word(&answer)), (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large"));
    assert_eq!(host.actor.calls.borrow().begun, 1);

    let mut raw = Raw::connect(address).await;
    raw.send("POST /measure HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for _ in 0..2 {
        raw.send(format!("200\r\n{}\r\n", "x".repeat(0x200))).await;
    }
    assert!(raw.until("\r\n").await.contains(" 413 "));
}

#[tokio::test]
async fn a_body_that_stops_coming_is_a_request_timeout() {
    let host = Host::start_with(&[("body_idle_timeout_ms", "200")]).await;
    let mut raw = Raw::connect(host.serve(1, &[]).await).await;
    raw.send("POST /measure HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\nabc").await;
    assert!(raw.until("\r\n").await.contains(" 408 "));
    host.actor.until(|calls| calls.cancelled == 1).await;
}

#[tokio::test]
async fn a_head_past_its_limit_is_refused() {
    let host = Host::start_with(&[("max_header_bytes", "4096")]).await;
    let address = host.serve(1, &[]).await;
    let long = format!("x: {}\r\n", "y".repeat(5_000));
    let many: String = (0..150).map(|number| format!("x{number}: y\r\n")).collect();
    for headers in [long, many] {
        let mut raw = Raw::connect(address).await;
        raw.send(format!("GET / HTTP/1.1\r\nhost: test\r\n{headers}\r\n")).await;
        let answer = raw.rest().await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(host.actor.calls.borrow().begun, 0);
}

#[tokio::test]
async fn a_request_without_one_clear_meaning_is_refused() {
    let host = Host::start().await;
    let address = host.serve(1, &[]).await;
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a@b\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
    ] {
        let mut raw = Raw::connect(address).await;
        raw.send(request).await;
        let line = raw.until("\r\n").await;
        assert!(line.starts_with("HTTP/1.1 400 "), "{request:?}: {line}");
    }
    assert_eq!(host.actor.calls.borrow().begun, 0);
}

#[tokio::test]
async fn nobody_gets_a_tunnel() {
    let host = Host::start().await;
    let mut raw = Raw::connect(host.serve(1, &[]).await).await;
    raw.send("CONNECT inside:80 HTTP/1.1\r\nhost: inside:80\r\n\r\n").await;
    assert!(raw.until("\r\n").await.starts_with("HTTP/1.1 501 "));
}

#[tokio::test]
async fn a_host_that_is_gone_takes_the_process_with_it() {
    let mut host = Host::start().await;
    let address = host.serve(1, &[]).await;
    let mut client = Client::connect(address).await;
    let request = Request::get("/hang").body(empty()).expect("a request");
    let hanging = tokio::spawn(async move { client.begin(request).await });
    host.actor.until(|calls| calls.begun == 1).await;
    host.process.hang_up().await;
    let answer = hanging.await.expect("no panic"); // a reset, or an error where there was time for one
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status().is_server_error()));
}
