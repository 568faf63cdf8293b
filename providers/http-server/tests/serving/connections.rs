//! Connections: idle ones end, too many are refused, and a drain lets requests finish.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::{
    client::{Client, Raw, empty, get},
    host::Host,
};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_connection_that_sends_no_whole_head_is_closed() {
    let host = Host::start_with(&[("idle_timeout_ms", "200")]).await;
    let address = host.serve(1, &[]).await;
    for start in ["", "G", "GET / HTTP/1.1\r\nhost:", "PRI * HTTP/2.0\r\n"] {
        let mut raw = Raw::connect(address).await;
        raw.send(start).await;
        timeout(SOON, raw.rest()).await.unwrap_or_else(|_| panic!("open after {start:?}"));
    }
}

#[tokio::test]
async fn a_connection_between_two_requests_is_closed_when_idle_and_not_while_one_is_under_way() {
    let host = Host::start_with(&[("idle_timeout_ms", "200")]).await;
    let address = host.serve(1, &[("timeout_ms", "1500")]).await;
    let mut raw = Raw::connect(address).await;
    raw.send("GET /hang HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let answer = timeout(SOON, raw.rest()).await.expect("closed when idle");
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
}

#[tokio::test]
async fn a_connection_too_many_is_told_to_come_back() {
    let host = Host::start_with(&[("max_connections", "2")]).await;
    let address = host.serve(1, &[]).await;
    let mut first = Client::connect(address).await;
    let mut second = Client::connect(address).await;
    assert_eq!(
        (first.get("/").await.status, second.get("/").await.status),
        (StatusCode::OK, StatusCode::OK)
    );
    let answer = Raw::connect(address).await.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1\r\n"));
    assert_eq!(first.get("/").await.text(), "hello\n");
}

#[tokio::test]
async fn a_drain_refuses_what_is_new_and_finishes_what_is_under_way() {
    let host = Host::start().await;
    let address = host.serve(1, &[("timeout_ms", "700")]).await;
    let mut idle = Client::connect(address).await;
    assert_eq!(idle.get("/").await.text(), "hello\n");
    let _silent = Raw::connect(address).await;
    let mut halting = Raw::connect(address).await;
    halting.send("GET / HT").await;
    let busy = tokio::spawn(get(address, "/hang"));
    host.actor.until(|calls| calls.begun == 2).await;
    timeout(SOON, host.process.drain()).await.expect("a drain ends");
    assert_eq!(busy.await.expect("no panic").status, 504, "it was answered, not cut");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    let request = Request::get("/").body(empty()).expect("a request");
    assert!(idle.begin(request).await.is_err());
}

#[tokio::test]
async fn random_bytes_bother_nobody() {
    let host = Host::start_with(&[("idle_timeout_ms", "200")]).await;
    let address = host.serve(1, &[]).await;
    let bytes = prop::collection::vec(any::<u8>(), 0..2_000);
    let starts =
        prop::sample::select(vec!["", "GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]);
    let mut runner = TestRunner::default();
    let attacks = (0..200).map(|_| {
        let attack = (starts.clone(), bytes.clone()).new_tree(&mut runner).expect("a value");
        let (start, bytes) = attack.current();
        async move {
            let mut raw = Raw::connect(address).await;
            let _ = raw.0.write_all(&[start.as_bytes(), &bytes].concat()).await;
            timeout(SOON, raw.rest()).await.expect("it is closed");
        }
    });
    futures::future::join_all(attacks.collect::<Vec<_>>()).await;
    assert_eq!(get(address, "/").await.text(), "hello\n");
}

#[tokio::test]
async fn bodies_take_no_more_memory_than_their_windows() {
    let host = Host::start().await;
    let address = host.serve(1, &[]).await;
    let (len, path) = (400_000_000, "/source?400000000");
    let downloads = (0..2).map(|_| async {
        let mut client = Client::connect(address).await;
        let request = Request::get(path).body(empty()).expect("a request");
        let mut body = client.begin(request).await.expect("an answer").into_body();
        let mut seen = 0;
        while let Some(frame) = body.frame().await {
            seen += frame.expect("a frame").into_data().map_or(0, |data| data.len());
        }
        assert_eq!(seen, len);
    });
    futures::future::join_all(downloads).await;
    let peak = host.process.peak_memory();
    assert!(peak < 60_000_000, "{peak} bytes at the peak");
}
