//! What goes out, and what comes back.

use http::{Request, StatusCode};
use wattle_http::outgoing::{ErrorCode, SEND};
use wattle_sdk::Body;

use crate::{host::Host, web::Web};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_arrives_as_it_was_made_and_so_does_its_answer() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = host.link(&[&web.rule()], &[]).await;
    let request = Request::patch(web.url("/see?x=1")).header("x-a", "1").header("x-a", "2");
    let answer = link.send(request.body(None).expect("a request")).await.expect("an answer");
    assert_eq!(answer.head.status(), StatusCode::OK);
    let text = answer.text().await;
    assert!(text.starts_with("PATCH HTTP/1.1 /see?x=1 None"), "{text}");
    let host = format!("host={}", web.address);
    for header in [host.as_str(), "x-a=1", "x-a=2"] {
        assert!(text.contains(header), "{header}: {text}");
    }
    assert!(!text.contains("transfer-encoding") && !text.contains("content-length"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_at_hand_goes_out_with_its_length_and_an_empty_one_as_none() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = host.link(&[&web.rule()], &[]).await;
    for (body, length) in [("", None), ("twelve bytes", Some("content-length=12"))] {
        let request = Request::get(web.url("/see")).body(Some(Body::full(body)));
        let seen = link.send(request.expect("a request")).await.expect("an answer").text().await;
        assert_eq!(length.is_some(), seen.contains("content-length"), "{seen}");
        assert!(seen.contains(length.unwrap_or_default()), "{seen}");
        assert!(!seen.contains("transfer-encoding"), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_field_of_the_callers_own_does_not_reach_the_server() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = host.link(&[&web.rule()], &[]).await;
    let request = Request::get(web.url("/see")).header("host", "internal.example");
    let seen = link.send(request.body(None).expect("a request")).await.expect("an answer");
    let seen = seen.text().await;
    assert!(!seen.contains("internal.example"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_used_again_and_close_with_their_link() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = host.link(&[&web.rule()], &[]).await;
    for _ in 0..50 {
        link.get(&web.url("/see")).await.expect("an answer").text().await;
    }
    // A connection is idle only a moment after its answer was read.
    assert!(web.accepted() <= 25, "{} connections for 50 requests", web.accepted());
    host.delete(&link).await;
    web.until_open(0).await;
    let gone = link.call(Vec::new(), None).await.expect_err("the link is gone");
    assert_eq!(gone.kind, wattle_core::ErrorKind::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_links_that_come_and_go_leave_nothing_behind() {
    let (host, web) = (Host::start().await, Web::start().await);
    let files = || host.0.open_files();
    let mut before = None;
    for _ in 0..100 {
        let link = host.link(&[&web.rule()], &[]).await;
        link.get(&web.url("/see")).await.expect("an answer").text().await;
        host.delete(&link).await;
        web.until_open(0).await;
        before.get_or_insert_with(files);
    }
    let before = before.expect("there were links");
    let settled = async {
        while files() > before {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(10), settled).await;
    assert!(waited.is_ok(), "{} files, {before} before", files());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_cannot_hold_says_why() {
    let host = Host::start().await;
    let refused = |hosts, addresses, config| host.put(hosts, addresses, config);
    let reasons = [
        refused(&[], &[], &[]).await,
        refused(&["example.com"], &[], &[]).await,
        refused(&["https://example.com"], &["10.0.0"], &[]).await,
        refused(&["https://example.com"], &[], &[("proxy", "x")]).await,
        refused(&["https://example.com"], &[], &[("timeout_ms", "0")]).await,
        refused(&["https://example.com"], &[], &[("tls_ca_file", "/nowhere.pem")]).await,
        refused(&["https://example.com"], &[], &[("tls_ca", "-----BEGIN nothing")]).await,
    ];
    let named = ["allowed-hosts", "scheme", "10.0.0", "proxy", "timeout_ms", "nowhere", "PEM"];
    for (reason, named) in reasons.into_iter().zip(named) {
        let reason = reason.err().expect("it cannot hold");
        assert!(reason.contains(named), "{named}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_has_so_many_requests_under_way_and_another_link_does_not_notice() {
    let (host, web) = (Host::start().await, Web::start().await);
    let narrow = host.link(&[&web.rule()], &[("max_requests", "2")]).await;
    let other = host.link(&[&web.rule()], &[]).await;
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let (link, url) = (narrow.clone(), web.url("/never"));
            tokio::spawn(async move { link.get(&url).await.map(drop) })
        })
        .collect();
    web.until_open(2).await;
    assert_eq!(narrow.failure(&web.url("/see")).await, ErrorCode::ConnectionLimitReached);
    other.get(&web.url("/see")).await.expect("another link's place").text().await;
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    web.until_open(1).await; // that of the other link
    let again = async {
        while let Err(error) = narrow.get(&web.url("/see")).await {
            assert_eq!(error.code, ErrorCode::ConnectionLimitReached);
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), again).await.expect("a place again");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_a_request_is_understood() {
    let host = Host::start().await;
    let link = host.link(&["*://*"], &[]).await;
    for garbage in [&b""[..], b"\xc1", b"\x81\xa7request\xc0", &[0x91; 1_000]] {
        let error = link.call(garbage.to_vec(), None).await.expect_err("no request");
        assert_eq!(error.kind, wattle_core::ErrorKind::Malformed, "{SEND}: {error}");
    }
}
