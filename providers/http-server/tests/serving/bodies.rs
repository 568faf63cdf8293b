//! Bodies stream both ways, at the pace of whoever is slower, and end the call when one side goes away.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use crate::{
    client::{AnyBody, Client, Raw, empty, full, get},
    host::Host,
};

const MIB: usize = 1024 * 1024;

/// A chunked body of this many chunks of 64 KiB.
fn chunks(count: usize) -> AnyBody {
    let chunk = Bytes::from(vec![b'y'; 64 * 1024]);
    let frames = stream::repeat(chunk).take(count).map(|chunk| Ok(Frame::data(chunk)));
    BodyExt::boxed(StreamBody::new(frames))
}

fn post(path: &str, body: AnyBody) -> Request<AnyBody> {
    Request::post(path).body(body).expect("a request")
}

#[tokio::test]
async fn uploads_arrive_whole_whether_small_large_or_of_unknown_length() {
    let host = Host::start().await;
    let mut client = Client::connect(host.serve(1, &[]).await).await;
    for len in [1, 1_000, 16 * 1024, 16 * 1024 + 1, 5 * MIB] {
        let answer = client.send(post("/measure", full(vec![b'x'; len]))).await;
        assert_eq!(answer.text(), len.to_string());
    }
    let answer = client.send(post("/measure", chunks(100))).await;
    assert_eq!(answer.text(), (100 * 64 * 1024).to_string());
    assert_eq!(client.send(post("/measure", empty())).await.text(), "none");
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let host = Host::start().await;
    let mut raw = Raw::connect(host.serve(1, &[]).await).await;
    raw.send(
        "POST /measure HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n",
    )
    .await;
    assert_eq!(raw.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    raw.send("abc").await;
    assert!(raw.until("\r\n\r\n3").await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn downloads_arrive_whole() {
    let host = Host::start().await;
    let address = host.serve(1, &[]).await;
    for len in [0, 1, 16 * 1024, 20 * MIB] {
        let answer = get(address, &format!("/source?{len}")).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, len));
    }
}

#[tokio::test]
async fn a_body_may_stream_through_an_actor_in_both_directions_at_once() {
    let host = Host::start().await;
    let mut client = Client::connect(host.serve(1, &[]).await).await;
    let answer = client.send(post("/echo", chunks(200))).await;
    assert_eq!(answer.body.len(), 200 * 64 * 1024);
    assert!(answer.body.iter().all(|byte| *byte == b'y'));
}

#[tokio::test]
async fn trailers_travel_both_ways() {
    let host = Host::start().await;
    let mut client = Client::connect(host.serve(1, &[]).await).await;
    let trailers = HeaderMap::from_iter([("x-sum".parse().expect("a name"), HeaderValue::from(3))]);
    let frames = [Frame::data(Bytes::from_static(b"abc")), Frame::trailers(trailers)];
    let body = BodyExt::boxed(StreamBody::new(stream::iter(frames).map(Ok)));
    let mut request = post("/measure", body);
    request.headers_mut().insert("trailer", HeaderValue::from_static("x-sum"));
    assert_eq!(client.send(request).await.text(), "3 {\"x-sum\": \"3\"}");

    let request = Request::get("/trailers").header("te", "trailers").body(empty());
    let answer = client.send(request.expect("a request")).await;
    assert_eq!(answer.text(), "body", "{answer:?}");
    assert_eq!(answer.trailers.expect("trailers").get("x-sum"), Some(&HeaderValue::from(7)));
}

#[tokio::test]
async fn a_client_that_stops_reading_stops_the_actor_and_nobody_else() {
    let host = Host::start().await;
    let address = host.serve(1, &[]).await;
    let (mut slow, reader) = start_download(&host, address, 200 * MIB as u64).await;
    let sent = settled(&host).await;
    assert!(sent < 32 * MIB as u64, "{sent} bytes were taken for a client that reads none");
    assert_eq!(get(address, "/source?5000000").await.body.len(), 5_000_000);
    let answer = reader.collect().await.expect("the rest").to_bytes();
    assert_eq!(answer.len(), 200 * MIB);
    assert_eq!(slow.get("/").await.text(), "hello\n");
}

#[tokio::test]
async fn a_client_that_goes_away_during_a_download_ends_it() {
    let host = Host::start().await;
    let address = host.serve(1, &[]).await;
    let (client, reader) = start_download(&host, address, 1 << 40).await;
    drop((client, reader));
    host.actor.until(|calls| calls.unread == 1).await;
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_call() {
    let host = Host::start().await;
    let mut raw = Raw::connect(host.serve(1, &[]).await).await;
    raw.send("GET /hang HTTP/1.1\r\nhost: test\r\n\r\n").await;
    host.actor.until(|calls| calls.begun == 1).await;
    drop(raw);
    host.actor.until(|calls| calls.cancelled == 1).await;
}

#[tokio::test]
async fn a_client_that_goes_away_during_its_upload_ends_its_call() {
    let host = Host::start().await;
    let mut raw = Raw::connect(host.serve(1, &[]).await).await;
    raw.send("POST /measure HTTP/1.1\r\nhost: test\r\ncontent-length: 100000\r\n\r\nabc").await;
    host.actor.until(|calls| calls.begun == 1).await;
    drop(raw);
    host.actor.until(|calls| calls.cancelled == 1).await;
}

#[tokio::test]
async fn an_answer_that_stands_still_ends_its_connection() {
    let host = Host::start_with(&[("body_idle_timeout_ms", "200")]).await;
    let mut raw = Raw::connect(host.serve(1, &[]).await).await;
    raw.send("GET /stuck HTTP/1.1\r\nhost: test\r\n\r\n").await;
    let answer = raw.rest().await;
    assert!(answer.ends_with("5\r\nbegun\r\n"), "{answer}"); // no last chunk: the client sees that it is cut
}

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off() {
    let host = Host::start_with(&[("body_idle_timeout_ms", "300")]).await;
    let address = host.serve(1, &[]).await;
    let (_client, _reader) = start_download(&host, address, 1 << 40).await;
    host.actor.until(|calls| calls.unread == 1).await;
}

/// Begins to read `len` bytes, and goes on only when the reader is read.
async fn start_download(
    host: &Host,
    address: SocketAddr,
    len: u64,
) -> (Client, hyper::body::Incoming) {
    let mut client = Client::connect(address).await;
    let request = Request::get(format!("/source?{len}")).body(empty()).expect("a request");
    let response = client.begin(request).await.expect("an answer");
    host.actor.until(|calls| calls.sent > 0).await;
    (client, response.into_body())
}

/// Waits until no byte was taken for a while, and says how many were.
async fn settled(host: &Host) -> u64 {
    let mut calls = host.actor.calls.subscribe();
    while tokio::time::timeout(Duration::from_millis(300), calls.changed()).await.is_ok() {}
    host.actor.calls.borrow().sent
}

#[tokio::test]
async fn an_answer_that_breaks_off_before_its_first_byte_has_a_status_all_the_same() {
    let host = Host::start().await;
    let address = host.serve(1, &[]).await;
    let (mut typed, mut cut) = (0, 0);
    for _ in 0..200 {
        let mut raw = Raw::connect(address).await;
        raw.send("GET /broken HTTP/1.1\r\nhost: test\r\n\r\n").await;
        match raw.until("\r\n").await.trim() {
            "HTTP/1.1 502 Bad Gateway" => typed += 1,
            "HTTP/1.1 200 OK" => cut += 1, // the head was on its way when the body broke off
            other => panic!("{other:?}"),
        }
    }
    println!("{typed} with 502, {cut} cut");
    assert!(typed > 0);
}
