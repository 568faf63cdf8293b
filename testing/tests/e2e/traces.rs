//! Where a call went: each hop of it, here or on another host, as those say who carried it.

use std::collections::BTreeSet;

use serde_json::Value;
use wattle_testing::{Guest, KEY_VALUE, Lattice, http};

const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A hop, as one end of it tells it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Hop {
    caller: String,
    callee: String,
    host: String,
    sent_to: Option<String>,
    error: Option<String>,
}

fn hop(edge: [&str; 2], host: &str, sent_to: Option<&str>) -> Hop {
    let [caller, callee] = edge.map(str::to_owned);
    Hop { caller, callee, host: host.to_owned(), sent_to: sent_to.map(str::to_owned), error: None }
}

fn text(span: &Value, name: &str) -> Option<String> {
    span[name].as_str().map(str::to_owned)
}

/// The hops of a trace. Each but the first has to be part of the hop that led to it: the caller's, or the other end of its own.
async fn hops(lattice: &Lattice, trace: &str) -> BTreeSet<Hop> {
    let spans = lattice.ask(&["trace", trace]).await;
    let spans = spans.as_array().unwrap_or_else(|| panic!("{spans}")).clone();
    let hop = |span: &Value| Hop {
        caller: text(span, "caller").expect("a caller"),
        callee: text(span, "callee").expect("a callee"),
        host: text(span, "host").expect("a host"),
        sent_to: text(span, "sent-to"),
        error: text(span, "error"),
    };
    let mut roots = 0;
    for span in &spans {
        let Some(parent) = spans.iter().find(|parent| parent["span"] == span["parent"]) else {
            roots += 1;
            continue;
        };
        let (outer, inner) = (hop(parent), hop(span));
        if outer.sent_to.is_some() {
            assert_eq!(outer.sent_to.as_ref(), Some(&inner.host), "{spans:?}");
            assert_eq!((outer.caller, outer.callee), (inner.caller, inner.callee), "{spans:?}");
        } else {
            assert_eq!((outer.callee, outer.host), (inner.caller, inner.host), "{spans:?}");
        }
    }
    assert_eq!(roots, 1, "{spans:?}");
    spans.iter().map(hop).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_says_which_call_went_where() {
    let lattice = Lattice::start().await;
    let (second, third) = (lattice.neighbour("second").await, lattice.neighbour("third").await);
    lattice.actor_on("second", Guest::Counter, "counter", &[]).await;
    lattice.provider_on("third", "keyvalue-embedded").await;
    let counter = lattice.expose_with("counter", &["trace=always"]).await;
    lattice.link("counter", "keyvalue-embedded", KEY_VALUE, &[]).await;
    let home = lattice.home();
    let (second, third) = (second.key.as_str(), third.key.as_str());

    let response = counter.get("/hits").await;
    assert_eq!(response.text(), "{\"counter\":1}\n");
    let id = response.header("x-request-id").expect("a request id");
    let (serve, keep) = (["http-server", "counter"], ["counter", "keyvalue-embedded"]);
    let expected = [
        hop(serve, &home, Some(second)),
        hop(serve, second, None),
        hop(keep, second, Some(third)),
        hop(keep, third, None),
    ];
    assert_eq!(hops(&lattice, id).await, BTreeSet::from(expected));
    let shown = lattice.wattle(&["trace", id]).await.ok();
    let names = ["http-server -> counter", "-> second (remote)", "second -> third (remote)", "ok"];
    shown.naming(&names);

    // A user is told who answered, though the project's own host was asked first.
    let called = lattice.wattle(&["call", "counter", "/hits", "--trace", "--include"]).await.ok();
    assert_eq!(called.stdout, "{\"counter\":2}\n");
    let host = format!("host: {second}");
    called.naming(&[&host, "user -> counter", "second (local)", "second -> third (remote)"]);
    let called = lattice.ask(&["call", "counter", "/hits"]).await;
    assert_eq!(
        (called["host"].as_str(), &called["body"]),
        (Some(second), &"{\"counter\":3}\n".into())
    );

    // The same on one host.
    lattice.actor(Guest::Counter, "counter").await;
    lattice.provider("keyvalue-embedded").await;
    let counter = lattice.expose_with("counter", &["trace=always"]).await;
    lattice.link("counter", "keyvalue-embedded", KEY_VALUE, &[]).await;
    let local = counter.get("/hits").await;
    let id = local.header("x-request-id").expect("a request id");
    let expected = [hop(serve, &home, None), hop(keep, &home, None)];
    assert_eq!(hops(&lattice, id).await, BTreeSet::from(expected));
}

/// The trace that `wattle call --trace` names.
fn trace_of(stderr: &str) -> String {
    let named = stderr.lines().find_map(|line| line.strip_prefix("trace "));
    named.unwrap_or_else(|| panic!("no trace in {stderr}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_on_one_host_and_on_two_call_each_other_and_the_trace_says_so() {
    let lattice = Lattice::start().await;
    let second = lattice.neighbour("second").await;
    lattice.actor(Guest::Shop, "shop").await;
    lattice.actor_on("second", Guest::PriceList, "price-list", &[]).await;
    lattice.link("shop", "price-list", "example:shop/prices", &[]).await;
    let call = ["call", "shop", "/tea?count=2", "--trace"];
    let remote = lattice.wattle(&call).await.ok();
    assert_eq!(remote.stdout, "700 CHF\n");
    remote.naming(&["user -> shop", "shop -> price-list", "-> second (remote)"]);
    let function = ["call", "price-list", "example:shop/prices.price-of"];
    let params = r#"{"item": "tea", "count": 2}"#;
    let direct = lattice.wattle(&[&function[..], &[params, "--include"]].concat()).await.ok();
    direct.naming(&[&format!("host: {}", second.key)]);
    lattice.actor(Guest::PriceList, "price-list").await;
    lattice.link("shop", "price-list", "example:shop/prices", &[]).await;
    let local = lattice.wattle(&call).await.ok();
    assert!(!local.mentions("(remote)"), "{local}");
    local.naming(&["shop -> price-list", "(local)"]);
    // What fails is traced, too.
    lattice.wattle(&["link", "del", "shop", "price-list", "example:shop"]).await.ok();
    let failed = lattice.wattle(&call).await.code(1);
    let (home, trace) = (lattice.home(), trace_of(&failed.stderr));
    failed.naming(&["user -> shop", "shop -> ?", "wattle link put shop"]);
    let denied = Hop { error: Some("denied".to_owned()), ..hop(["shop", "?"], &home, None) };
    assert!(hops(&lattice, &trace).await.contains(&denied));
    lattice.wattle(&["trace", &trace, "--host", "second"]).await.code(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_decide_what_is_traced_only_where_a_link_lets_them() {
    let lattice = Lattice::start().await;
    lattice.actor(Guest::Hello, "hello").await;
    let (closed, open) = (lattice.expose("hello").await, {
        lattice.actor(Guest::Hello, "open").await;
        lattice.expose_with("open", &["trace=accept"]).await
    });
    let sampled = ("traceparent", SAMPLED);
    let unsampled = SAMPLED.replace("-01", "-00");
    for (site, header) in [
        (&closed, sampled),
        (&open, ("traceparent", unsampled.as_str())),
        (&open, ("traceparent", "00-nonsense")),
        (&open, ("x-other", SAMPLED)),
    ] {
        let response = http(&site.address, "GET", "/", &[header], b"").await.expect("a response");
        assert_eq!(response.status, 200);
    }
    lattice.wattle(&["trace", TRACE]).await.code(4).naming(&["no host keeps", TRACE, "--trace"]);
    let response = http(&open.address, "GET", "/", &[sampled], b"").await.expect("a response");
    assert_eq!(response.status, 200);
    let told = hops(&lattice, TRACE).await;
    assert_eq!(told, BTreeSet::from([hop(["http-server", "open"], &lattice.home(), None)]));
    lattice.wattle(&["trace", "no-trace"]).await.code(2).naming(&["32 lower-case hex digits"]);
}
