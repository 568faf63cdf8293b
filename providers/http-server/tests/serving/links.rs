//! Links: which are served where, and which are refused with what reason.

use wattle_sdk::{
    Side,
    test_host::{ToHost, ToProvider},
};

use crate::{
    client::{Client, get},
    host::{Host, address_of, grant},
};

#[tokio::test]
async fn a_link_says_where_it_is_served() {
    let host = Host::start_with(&[("default_address", "127.0.0.1:0")]).await;
    let detail = host.put(1, &[("path", "/a/")]).await.expect("a link");
    let address = address_of(&detail);
    assert_eq!(detail.url, Some(format!("http://{address}/a")));
    assert_eq!(get(address, "/a").await.text(), "hello\n");
}

#[tokio::test]
async fn a_clash_names_who_was_first_and_changes_nothing() {
    let host = Host::start().await;
    let first = host.serve(1, &[]).await.to_string();
    host.delete(1).await;
    let config = [("address", first.as_str()), ("path", "/describe")];
    host.put(1, &config).await.expect("a link");
    let clash = host.put(2, &config).await.expect_err("the same route");
    assert!(clash.contains("/describe is already routed to actor-1 (MAAAAAAA…)"), "{clash}");
    let first = first.parse().expect("an address");
    assert!(get(first, "/describe").await.text().starts_with("link 1\n"));

    host.delete(1).await;
    host.put(2, &config).await.expect("the route is free");
    assert!(get(first, "/describe").await.text().starts_with("link 2\n"));
}

#[tokio::test]
async fn a_taken_port_is_a_failed_link_with_its_reason() {
    let host = Host::start().await;
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("an address").to_string();
    let error = host.put(1, &[("address", &address)]).await.expect_err("taken");
    assert!(error.contains(&format!("{address} is taken")), "{error}");
    drop(other);
    host.put(1, &[("address", &address)]).await.expect("the port is free");
}

#[tokio::test]
async fn a_link_that_cannot_be_held_to_is_refused() {
    let host = Host::start().await;
    for (config, reason) in [
        (("readonly_mode", "true"), "readonly_mode"),
        (("address", "nowhere"), "host:port"),
        (("path", "a"), "path"),
        (("tls_cert", "/no/such/file"), "tls_key"),
    ] {
        let error = host.put(1, &[config]).await.expect_err(reason);
        assert!(error.contains(reason), "{error}");
    }
    let mut constrained = grant(1, &[]);
    constrained.constraints.insert("hosts".to_owned(), vec![]);
    let mut called = grant(1, &[]);
    called.side = Side::Target;
    let mut other = grant(1, &[]);
    other.interfaces = vec!["wasi:keyvalue/store".parse().expect("an interface")];
    for grant in [constrained, called, other] {
        host.put_grant(grant).await.expect_err("not for us");
    }
}

#[tokio::test]
async fn an_address_is_free_at_once_when_its_last_link_is_deleted() {
    let host = Host::start().await;
    let address = host.serve(1, &[]).await;
    let text = address.to_string();
    for link in 1..20 {
        let config = [("address", text.as_str())];
        host.play(link + 1);
        host.process.say(&ToProvider::DeleteLink { link });
        host.process.say(&ToProvider::PutLink(grant(link + 1, &config)));
        assert_eq!(host.process.hear().await, ToHost::LinkDeleted { link });
        let put = host.process.hear().await;
        assert!(matches!(put, ToHost::LinkPut { outcome: Ok(_), .. }), "{put:?}");
    }
    assert_eq!(get(address, "/").await.text(), "hello\n");
}

#[tokio::test]
async fn a_link_put_again_replaces_itself_and_one_that_fails_leaves_it_as_it_was() {
    let host = Host::start().await;
    let old = host.serve(1, &[("path", "/a")]).await;
    let again = host.serve(1, &[("path", "/describe")]).await;
    assert_eq!(again, old, "a free port is kept");
    assert_eq!(get(old, "/a").await.status, 404);

    host.put(1, &[("address", "127.0.0.1:0"), ("path", "bad")]).await.expect_err("no path");
    assert_eq!(get(old, "/describe").await.status, 200);

    let new = host.serve(2, &[]).await.to_string();
    host.delete(2).await;
    host.put(1, &[("address", &new)]).await.expect("a link that moves");
    assert_eq!(get(new.parse().expect("an address"), "/").await.text(), "hello\n");
    assert!(tokio::net::TcpStream::connect(old).await.is_err());
}

#[tokio::test]
async fn a_deleted_link_is_served_no_more_and_its_connections_end() {
    let host = Host::start().await;
    let address = host.serve(1, &[]).await;
    let mut client = Client::connect(address).await;
    assert_eq!(client.get("/").await.status, 200);
    host.delete(1).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    let request = http::Request::get("/").body(crate::client::empty()).expect("a request");
    assert!(client.begin(request).await.is_err());
    host.delete(1).await; // deleting twice is nothing
}
