//! Actors call each other, and users call them, over interfaces that the host has never heard of.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use wattle_claims::{ActorClaims, Draft};
use wattle_testing::{Guest, Lattice, Site, eventually};

const PRICING: &str = "wattle-test:chain/pricing";
const ALL: &str = "wattle-test:chain/pricing,wattle-test:chain/mishaps,wattle-test:chain/echo";

/// An actor behind HTTP, and another that it is not linked to.
async fn front_and_back() -> (Lattice, Site) {
    let lattice = Lattice::start().await;
    lattice.actor_with(Guest::Back, "back", &["--deadline", "1s"]).await;
    let front = lattice.serve(Guest::Front, "front").await;
    (lattice, front)
}

async fn assert_quoted(front: &Site, path: &str) {
    let response = front.get(path).await;
    assert_eq!(response.status, 200, "{}", response.text());
    assert!(response.text().contains("cents: 360"), "{}", response.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_calls_another_with_values_of_every_kind() {
    let (lattice, front) = front_and_back().await;
    lattice.link("front", "back", ALL, &[]).await;
    let response = front.get("/quote?items=apple,bread").await;
    let expected = "Offer { currency: Currency::Chf, cents: 360, lines: [(\"apple\", 180), (\"bread\", 180)], \
                    wishes: Wishes { bits: 5 }, label: Some(None), initial: 'a' }";
    assert_eq!((response.status, response.text().trim()), (200, expected));
    // A result's error is a value like another.
    let unknown = front.get("/quote?items=apple,no-bread").await;
    assert_eq!((unknown.status, unknown.text().trim()), (404, "no no-bread"));
    assert_eq!(front.get("/quote").await.status, 400);
    for count in [0, 1, 65_536, 800_000] {
        let response = front.get(&format!("/bytes?count={count}")).await;
        assert_eq!(response.text().trim(), format!("{count} bytes, the same"));
    }
    // More than a call may carry: refused, and nobody else is affected.
    for count in [900_000, 5_000_000] {
        assert_eq!(front.get(&format!("/bytes?count={count}")).await.status, 500);
    }
    assert_quoted(&front, "/quote?items=a,b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_two_actors_does_what_its_readme_says() {
    let lattice = Lattice::start().await;
    lattice.actor(Guest::PriceList, "price-list").await;
    lattice.actor(Guest::Shop, "shop").await;
    let params = r#"{"item": "tea", "count": 2}"#;
    let price = lattice.ask(&["call", "price-list", "example:shop/prices.price-of", params]).await;
    assert_eq!(price, json!({"cents": 700, "currency": "CHF"}));
    let advice = "wattle link put shop price-list example:shop/prices";
    lattice.wattle(&["call", "shop", "/tea?count=2"]).await.code(1).naming(&[advice]);
    lattice.link("shop", "price-list", "example:shop/prices", &[]).await;
    let said = lattice.wattle(&["call", "shop", "/tea?count=2"]).await.ok();
    assert_eq!(said.stdout, "700 CHF\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_link_the_call_is_denied_with_the_command_that_grants_it() {
    let (lattice, front) = front_and_back().await;
    let denied = front.get("/quote?items=a,b").await;
    assert_eq!(denied.status, 500, "{}", denied.text());
    assert!(!denied.text().contains("link"), "inside information: {}", denied.text());
    let advice = "wattle link put front back wattle-test:chain/pricing";
    let log = lattice.log().await;
    assert!(log.contains(advice), "{log}");
    let said = lattice.wattle(&["call", "front", "/quote?items=a,b"]).await.code(1);
    said.naming(&["wattle-test:chain/pricing.quote", "denied", advice]);
    lattice.wattle(&advice.split(' ').skip(1).collect::<Vec<_>>()).await.ok();
    assert_quoted(&front, "/quote?items=a,b").await;
    // The link was for one interface.
    assert_eq!(front.get("/trap").await.status, 500);
    lattice
        .wattle(&["call", "front", "/trap"])
        .await
        .code(1)
        .naming(&["denied", "wattle-test:chain/mishaps"]);
    lattice.wattle(&["link", "del", "front", "back", "wattle-test:chain"]).await.ok();
    assert_eq!(front.get("/quote?items=a,b").await.status, 500);
}

/// Starts a guest with altered claims.
async fn start_with_claims(
    lattice: &Lattice,
    guest: Guest,
    alter: impl FnOnce(&mut Draft<ActorClaims>),
) {
    let chain = lattice.chain();
    let component = guest.component();
    let mut draft = chain.actor_draft(&component, guest.name());
    alter(&mut draft);
    let file = lattice.write("altered.wasm", &chain.embed(&component, draft));
    lattice.wattle(&["start", "actor", &file, "--id", guest.name()]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_claims_of_either_side_lack_is_denied() {
    let without = |interfaces: &mut Vec<wattle_core::Interface>| {
        interfaces.retain(|interface| interface.as_str() != PRICING);
    };
    let lattice = Lattice::start().await;
    lattice.actor(Guest::Back, "back").await;
    start_with_claims(&lattice, Guest::Front, |draft| without(&mut draft.body.imports)).await;
    let put = ["link", "put", "front", "back", PRICING];
    let call = ["call", "front", "/quote?items=a"];
    // Whether the link is taken or not: it grants nothing.
    lattice.wattle(&put).await;
    lattice.wattle(&call).await.code(1).naming(&["denied", "do not import", PRICING]);

    let lattice = Lattice::start().await;
    lattice.actor(Guest::Front, "front").await;
    start_with_claims(&lattice, Guest::Back, |draft| without(&mut draft.body.exports)).await;
    lattice.wattle(&put).await;
    lattice.wattle(&call).await.code(1).naming(&["denied", "do not export", PRICING]);
    // What the claims do not list, users cannot call either.
    lattice.wattle(&["call", "back", "wattle-test:chain/pricing.quote"]).await.code(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_chooses_the_link_that_its_calls_take() {
    let (lattice, front) = front_and_back().await;
    lattice.link("front", "back", PRICING, &["--name", "cheap"]).await;
    assert_eq!(front.get("/quote?items=a,b").await.status, 500);
    assert_quoted(&front, "/quote?items=a,b&link=cheap").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_calls_a_function_with_json() {
    let lattice = Lattice::start().await;
    lattice.actor(Guest::Back, "back").await;
    let quote = async |params: &str| {
        lattice.wattle(&["call", "back", &format!("{PRICING}.quote"), params, "-o", "json"]).await
    };
    let asked = json!({
        "wishes": ["insured", "gift"],
        "items": [
            {"name": "tea", "count": 3, "weight": 1, "discount": "none", "label": [104, 105]},
            {"count": 1, "discount": {"percent": 50}, "label": {"base64": "/w=="}, "name": "pot"},
        ],
    });
    let expected = json!({"Ok": {
        "currency": "chf",
        "cents": 350,
        "lines": [["tea", 300], ["pot", 50]],
        "wishes": ["gift", "insured"],
        "label": ["hi"],
        "initial": "t",
    }});
    assert_eq!(quote(&asked.to_string()).await.ok().json(), expected);
    let refused = quote(r#"{"items": [], "wishes": []}"#).await.code(1);
    assert_eq!(refused.json(), json!({"Err": "nothing-asked"}));
    for (params, why) in [
        ("{}", "items is missing"),
        (r#"{"items": [], "wishes": ["gold"]}"#, "gold"),
        (r#"{"items": [{"name": 7}], "wishes": []}"#, "items: name"),
        ("[]", "items, wishes"),
    ] {
        quote(params).await.code(2).naming(&["wattle-test:chain/pricing.quote", why]);
    }
    let unknown = lattice.wattle(&["call", "back", &format!("{PRICING}.qoute")]).await.code(4);
    unknown.naming(&["wattle-test:chain/pricing.qoute", "it has bytes, quote"]);
    lattice.wattle(&["call", "back", "wattle-test:chain/basket.quote"]).await.code(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_traps_fails_those_who_called_it_and_nobody_else() {
    let (lattice, front) = front_and_back().await;
    lattice.link("front", "back", ALL, &[]).await;
    let trapped = front.get("/trap").await;
    assert_eq!(trapped.status, 500);
    assert!(!trapped.text().contains("wasm"), "{}", trapped.text());
    let direct = lattice.wattle(&["call", "back", "wattle-test:chain/mishaps.trap"]).await;
    direct.code(1).naming(&["back trapped", "wattle-test:chain/mishaps.trap"]);
    for id in ["front", "back"] {
        let failures = &lattice.actor_status(id).await["failures"];
        assert!(failures["trapped"].as_u64() > Some(0), "{id}: {failures}");
    }
    assert_quoted(&front, "/quote?items=a,b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_spins_is_cut_at_its_own_deadline() {
    let (lattice, front) = front_and_back().await;
    lattice.link("front", "back", ALL, &[]).await;
    assert_eq!(front.get("/spin").await.status, 504);
    let direct = lattice.wattle(&["call", "back", "wattle-test:chain/mishaps.spin"]).await;
    direct.code(5).naming(&["deadline", "wattle-test:chain/mishaps.spin"]);
    let failures = &lattice.actor_status("back").await["failures"];
    assert_eq!(failures["deadline-exceeded"].as_u64(), Some(2), "{failures}");
    // Its places are free again.
    eventually("nobody is inside", Duration::from_secs(5), async || {
        let status = lattice.actor_status("back").await;
        (status["in-flight"] == 0).then_some(())
    })
    .await;
    assert_quoted(&front, "/quote?items=a,b").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_that_call_each_other_in_circles_end_at_a_limit() {
    const ECHO: &str = "wattle-test:chain/echo";
    let lattice = Lattice::start().await;
    lattice.actor(Guest::Back, "back").await;
    lattice.actor(Guest::Back, "mirror").await;
    lattice.link("back", "mirror", ECHO, &[]).await;
    lattice.link("mirror", "back", ECHO, &[]).await;
    let front = lattice.serve(Guest::Front, "front").await;
    lattice.link("front", "back", ECHO, &[]).await;
    // The front, and fifteen more.
    let deepest = front.get("/again?times=14").await;
    assert_eq!((deepest.status, deepest.text().trim()), (200, "14"));
    assert_eq!(front.get("/again?times=15").await.status, 500);
    let call = ["call", "back", "wattle-test:chain/echo.again", r#"{"times": 1000000}"#];
    let said = lattice.wattle(&call).await.code(1);
    said.naming(&["limit-exceeded", "went through 16 actors"]);
    let many = join_all((0..16).map(|_| front.get("/again?times=14"))).await;
    assert!(many.iter().all(|response| response.status == 200), "{many:?}");
    assert!(lattice.host().is_alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn actors_on_two_hosts_call_each_other_and_their_circles_end_at_the_same_limit() {
    const ECHO: &str = "wattle-test:chain/echo";
    let lattice = Lattice::start().await;
    let _second = lattice.neighbour("second").await;
    lattice.actor(Guest::Back, "back").await;
    lattice.actor_on("second", Guest::Back, "mirror", &[]).await;
    lattice.link("back", "mirror", ECHO, &[]).await;
    lattice.link("mirror", "back", ECHO, &[]).await;
    let front = lattice.serve(Guest::Front, "front").await;
    lattice.link("front", "back", ECHO, &[]).await;
    lattice.link("front", "mirror", PRICING, &[]).await;
    assert_quoted(&front, "/quote?items=a,b").await;
    let deepest = front.get("/again?times=14").await;
    assert_eq!((deepest.status, deepest.text().trim()), (200, "14"));
    assert_eq!(front.get("/again?times=15").await.status, 500);
    let log = lattice.log().await;
    assert!(log.contains("went through 16 actors"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_that_exports_a_resource_fails_its_start_by_name() {
    let lattice = Lattice::start().await;
    let component = wat::parse_str(
        r#"(component
            (type $cart (resource (rep i32)))
            (instance $carts (export "cart" (type $cart)))
            (export "wattle-test:shop/carts" (instance $carts)))"#,
    );
    let chain = lattice.chain();
    let signed = chain.sign_actor(&component.expect("a component"), "carts");
    let file = lattice.write("carts.wasm", &signed);
    let said = lattice.wattle(&["start", "actor", &file, "--id", "carts"]).await;
    assert_ne!(said.code, 0, "{said}");
    said.naming(&["wattle-test:shop/carts", "cart", "only a provider"]);
}
