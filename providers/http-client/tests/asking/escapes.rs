//! Ways around what a link allows, each refused with its code.

use http::Request;
use wattle_http::outgoing::ErrorCode;

use crate::{host::Host, web::Web};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_not_listed_is_refused() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = host.link(&[&format!("GET {}/open", web.rule())], &[]).await;
    for url in [
        web.url("/closed"),
        web.url("/open/../closed"),
        web.url("/open/%2e%2e/closed"),
        format!("http://127.0.0.1:{}/open", web.address.port() ^ 1),
        format!("https://{}/open", web.address),
        "http://127.0.0.2/open".to_owned(),
    ] {
        assert_eq!(link.failure(&url).await, ErrorCode::HttpRequestDenied, "{url}");
    }
    let post = Request::post(web.url("/open")).body(None).expect("a request");
    let refused = link.send(post).await.err().expect("only GET is allowed");
    assert_eq!(refused.code, ErrorCode::HttpRequestDenied);
    assert_eq!(web.accepted(), 0, "nothing left the provider");
    link.get(&web.url("/open")).await.expect("this is what is allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_this_machine_and_its_networks_are_refused_unless_listed() {
    let (host, web) = (Host::start().await, Web::start().await);
    let port = web.address.port();
    let anywhere = host.put(&["*://*:*"], &[], &[]).await.expect("a link");
    for name in [
        "127.0.0.1",
        "127.1",      // what the system's resolver makes of it
        "2130706433", // the same in one number
        "0x7f000001", // and in hexadecimal
        "0.0.0.0",
        "169.254.169.254",
        "10.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
        "localhost", // a name that leads here
        "LocalHost",
    ] {
        let code = anywhere.failure(&format!("http://{name}:{port}/see")).await;
        assert_eq!(code, ErrorCode::DestinationIpProhibited, "{name}");
    }
    assert_eq!(web.accepted(), 0, "nothing left the provider");

    let listed = host.put(&["*://*:*"], &["127.0.0.1/32", "::1"], &[]).await.expect("a link");
    for name in ["127.0.0.1", "127.1", "localhost"] {
        let url = format!("http://{name}:{port}/see");
        listed.get(&url).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_not_let_in_by_a_rule_for_the_address_it_leads_to() {
    let (host, web) = (Host::start().await, Web::start().await);
    let port = web.address.port();
    let rules = [web.rule(), format!("http://localhost:{port}")];
    let link = host.put(&[&rules[0], &rules[1]], &[], &[]).await.expect("a link");
    link.get(&web.url("/see")).await.expect("the rule names the address");
    let code = link.failure(&format!("http://localhost:{port}/see")).await;
    assert_eq!(code, ErrorCode::DestinationIpProhibited);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_an_answer_and_whoever_follows_it_is_checked_again() {
    let (host, inside, outside) = (Host::start().await, Web::start().await, Web::start().await);
    let link = host.link(&[&outside.rule()], &[]).await;
    let url = outside.url(&format!("/away?{}", inside.url("/see")));
    let answer = link.get(&url).await.expect("an answer");
    assert_eq!(answer.head.status(), 302);
    let to = answer.head.headers()["location"].to_str().expect("an address").to_owned();
    assert_eq!(link.failure(&to).await, ErrorCode::HttpRequestDenied);
    assert_eq!(inside.accepted(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_like_an_allowed_address_is_refused() {
    let (host, web) = (Host::start().await, Web::start().await);
    let link = host.link(&["http://allowed.example:*"], &[]).await;
    for (url, code) in [
        (format!("http://allowed.example@{}/see", web.address), ErrorCode::HttpRequestUriInvalid),
        (format!("http://allowed.example.{}/see", web.address), ErrorCode::HttpRequestDenied),
        ("http://allowed.example.evil.example/see".to_owned(), ErrorCode::HttpRequestDenied),
    ] {
        assert_eq!(link.failure(&url).await, code, "{url}");
    }
    let tunnel = Request::connect("http://allowed.example:80/").body(None).expect("a request");
    let refused = link.send(tunnel).await.err().expect("a tunnel");
    assert_eq!(refused.code, ErrorCode::HttpRequestDenied);
    assert_eq!(web.accepted(), 0);
}
