//! Servers that are not there, hang, break off or talk nonsense: each a code of its own, in time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
    time::timeout,
};
use wattle_http::outgoing::{ErrorCode, Options};
use wattle_sdk::{Body, StreamError};

use crate::{
    beside::assert_not_slowed,
    host::{Host, Link},
    web::Web,
};

/// "In time" on a busy machine.
const SOON: Duration = Duration::from_secs(8);

/// A server that reads a little, writes these bytes, and then hangs up, or not.
async fn says(bytes: Vec<u8>, hangs_up: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut some = [0; 1_024];
            let _: Result<usize, _> = socket.read(&mut some).await;
            let _: Result<(), _> = socket.write_all(&bytes).await;
            if !hangs_up {
                kept.push(socket);
            }
        }
    });
    url
}

async fn link(host: &Host, config: &[(&str, &str)]) -> Link {
    host.link(&["*://*:*"], config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_not_answering_has_its_code() {
    let host = Host::start().await;
    let patient = link(&host, &[]).await;
    let hasty = link(&host, &[("timeout_ms", "300")]).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let nobody = format!("http://{}/", closed.local_addr().expect("an address"));
    drop(closed);
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(200_000)).into_bytes();
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200)).into_bytes();
    let cases = [
        (nobody, ErrorCode::ConnectionRefused),
        (says(b"".to_vec(), true).await, ErrorCode::ConnectionTerminated),
        (says(b"HTTP/1.1 200 O".to_vec(), true).await, ErrorCode::ConnectionTerminated),
        (says(b"220 mail.example ESMTP\r\n".to_vec(), false).await, ErrorCode::HttpProtocolError),
        (says(long, false).await, ErrorCode::HttpResponseHeaderSectionSize),
        (says(many, false).await, ErrorCode::HttpResponseHeaderSectionSize),
        (says(b"".to_vec(), false).await, ErrorCode::HttpResponseTimeout),
        ("http://no-such-name.invalid/".to_owned(), ErrorCode::DnsError),
    ];
    for (url, code) in cases {
        let begun = Instant::now();
        let link = if code == ErrorCode::HttpResponseTimeout { &hasty } else { &patient };
        let failed = link.failure(&url).await;
        // A name server that nobody can reach takes its own time to be given up.
        if code == ErrorCode::DnsError && failed == ErrorCode::ConnectionTimeout {
            continue;
        }
        assert_eq!(failed, code, "{url}");
        let in_time = code == ErrorCode::DnsError || begun.elapsed() < SOON;
        assert!(in_time, "{url}: {:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_may_wait_for_less_than_its_link_does() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = link(&host, &[]).await;
    let request = Request::get(web.url("/never")).body(None).expect("a request");
    let time = Some(Duration::from_millis(50));
    let options = Options { first_byte_timeout: time, ..Options::default() };
    let begun = Instant::now();
    let error = link.send_with(request, options).await.err().expect("it never answers");
    assert_eq!(error.code, ErrorCode::HttpResponseTimeout);
    assert!(begun.elapsed() < SOON);
    web.until_open(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_nobody_waits_for_ends_at_the_server() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = link(&host, &[]).await;
    let url = web.url("/never");
    let call = tokio::spawn(async move { link.get(&url).await.map(drop) });
    web.until_open(1).await;
    call.abort();
    web.until_open(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_or_stands_still_is_no_whole_one() {
    let host = Host::start().await;
    let hasty = link(&host, &[("idle_timeout_ms", "200")]).await;
    let patient = link(&host, &[]).await;
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec();
    for (hangs_up, error) in [(true, StreamError::Interrupted), (false, StreamError::Idle)] {
        let url = says(head.clone(), hangs_up).await;
        let link = if hangs_up { &patient } else { &hasty };
        let mut answer = link.get(&url).await.expect("the head is there");
        assert_eq!(answer.body.collect(1_000).await, Err(error));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_of_one_link_does_not_slow_anothers() {
    let (host, slow, fast) = (Host::start().await, Web::start().await, Web::start().await);
    let [to_slow, to_fast] = [link(&host, &[]).await, link(&host, &[]).await];
    let call = async || {
        to_fast.get(&fast.url("/see")).await.expect("an answer").text().await;
    };
    let stuck = async || {
        let mut requests = JoinSet::new();
        for _ in 0..200 {
            let (link, url) = (to_slow.clone(), slow.url("/never"));
            requests.spawn(async move { link.get(&url).await.map(drop) });
        }
        slow.until_open(200).await;
        requests
    };
    assert_not_slowed(call, async || stuck().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_early_and_reads_no_further_holds_nothing_up() {
    let host = Host::start().await;
    let link = link(&host, &[("max_requests", "4"), ("idle_timeout_ms", "500")]).await;
    let url = says(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(), false).await;
    for _ in 0..20 {
        let (mut sender, body) = Body::channel();
        let request = Request::post(&url).body(Some(body)).expect("a request");
        let answer = link.send(request).await.expect("an answer, and a place again");
        assert_eq!(answer.head.status(), 200);
        // Whoever writes on is told that nobody reads.
        let chunk = Bytes::from(vec![7; 64 * 1024]);
        let refused = timeout(SOON, async { while sender.send(chunk.clone()).await.is_ok() {} });
        refused.await.expect("it does not wait for ever");
    }
}
