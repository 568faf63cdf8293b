//! What the actor sees of a request, and what the client sees of its answer.

use http::{Request, StatusCode};

use crate::{
    client::{Client, Raw, empty, full, get},
    host::Host,
};

#[tokio::test]
async fn an_actor_sees_what_the_client_sent_and_nothing_about_its_connection() {
    let host = Host::start().await;
    let address = host.serve(7, &[]).await;
    let request = Request::put("/describe?q=1")
        .header("host", "shop.test:81")
        .header("x-own", "1")
        .header("connection", "keep-alive, x-hop")
        .header("x-hop", "1")
        .header("te", "trailers")
        .body(full("body"))
        .expect("a request");
    let answer = Client::connect(address).await.send(request).await;
    let expected = "link 7\nPUT http://shop.test:81/describe?q=1\n\
        host: shop.test:81\nx-own: 1\ncontent-length: 4\n";
    assert_eq!(answer.text(), expected);
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.header("x-request-id"), answer.header("x-call"));
    assert!(answer.header("date").is_some());
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let host = Host::start().await;
    let mut client = Client::connect(host.serve(1, &[]).await).await;
    let mut ids = std::collections::HashSet::new();
    for _ in 0..20 {
        let answer = client.get("/").await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, "hello\n"));
        assert_eq!(answer.header("content-length"), Some("6"));
        ids.insert(answer.header("x-request-id").expect("an id").to_owned());
    }
    assert_eq!(ids.len(), 20);
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_in_their_order() {
    let host = Host::start().await;
    let mut raw = Raw::connect(host.serve(1, &[]).await).await;
    let requests: String = (0..10)
        .map(|number| format!("GET /describe?{number} HTTP/1.1\r\nhost: test\r\n\r\n"))
        .collect();
    raw.send(requests).await;
    for number in 0..10 {
        let answer = raw.until("host: test\n").await;
        assert!(answer.contains(&format!("/describe?{number}\n")), "{number}: {answer}");
    }
}

#[tokio::test]
async fn sixty_four_connections_are_served_at_once() {
    let host = Host::start().await;
    let address = host.serve(1, &[]).await;
    let clients = (0..64).map(|_| async {
        let mut client = Client::connect(address).await;
        for _ in 0..50 {
            assert_eq!(client.get("/").await.text(), "hello\n");
        }
    });
    futures::future::join_all(clients).await;
    assert_eq!(host.actor.calls.borrow().begun, 64 * 50);
}

#[tokio::test]
async fn a_head_request_has_the_length_and_no_body() {
    let host = Host::start().await;
    let mut client = Client::connect(host.serve(1, &[]).await).await;
    let head = Request::head("/").body(empty()).expect("a request");
    let answer = client.send(head).await;
    assert_eq!((answer.header("content-length"), answer.text()), (Some("6"), ""));
    assert_eq!(client.get("/empty").await.status, StatusCode::NO_CONTENT);
    assert_eq!(client.get("/").await.text(), "hello\n");
}

#[tokio::test]
async fn a_request_of_http_1_0_needs_no_host() {
    let host = Host::start().await;
    let address = host.serve(1, &[]).await;
    let mut raw = Raw::connect(address).await;
    raw.send("GET /describe HTTP/1.0\r\n\r\n").await;
    let answer = raw.rest().await;
    assert!(answer.ends_with(&format!("GET http://{address}/describe\n")), "{answer}");
}

#[tokio::test]
async fn an_actor_that_lies_about_its_length_does_not_confuse_the_connection() {
    let host = Host::start().await;
    let mut client = Client::connect(host.serve(1, &[]).await).await;
    for _ in 0..2 {
        let answer = client.get("/lie").await;
        assert_eq!((answer.header("content-length"), answer.text()), (Some("3"), "abc"));
    }
}

#[tokio::test]
async fn links_on_one_address_are_told_apart_by_path_and_host() {
    let host = Host::start().await;
    let address = "127.0.0.1:0";
    let port = host.serve(1, &[]).await; // takes a port, so that the others can name it
    host.delete(1).await;
    let port = port.to_string();
    for (link, config) in
        [(1, vec![("path", "/a")]), (2, vec![("path", "/describe")]), (3, vec![("host", "shop")])]
    {
        let config = [vec![("address", port.as_str())], config].concat();
        host.put(link, &config).await.unwrap_or_else(|error| panic!("{address}: {error}"));
    }
    let port = port.parse().expect("an address");
    assert!(get(port, "/describe").await.text().starts_with("link 2\n"));
    assert_eq!(get(port, "/describes").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(port, "/a/b").await.status, StatusCode::OK);
    let shop = Request::get("/describe").header("host", "SHOP:1").body(empty()).expect("a request");
    let answer = Client::connect(port).await.send(shop).await;
    assert!(answer.text().starts_with("link 3\n"));
}
