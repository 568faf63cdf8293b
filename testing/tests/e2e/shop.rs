//! Three actors that call each other, as their example does.

use wattle_testing::{Guest, Lattice};

const MANIFEST: &str = include_str!("../../../examples/shop/wadm.yaml");
const ALL: [Guest; 3] = [Guest::Shop, Guest::PriceList, Guest::Tax];

/// The example's manifest, with its actors beside it.
fn manifest(lattice: &Lattice) -> String {
    let mut text = MANIFEST.to_owned();
    for guest in ALL {
        let name = guest.name();
        lattice.write(&format!("{name}.wasm"), &guest.component());
        text = text.replace(
            &format!("file:../{name}/build/{name}.signed.wasm"),
            &format!("file:{name}.wasm"),
        );
        text =
            text.replace(&format!("file:build/{name}.signed.wasm"), &format!("file:{name}.wasm"));
    }
    lattice.write("wadm.yaml", text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn three_actors_answer_together_over_the_links_of_their_manifest() {
    let lattice = Lattice::start().await;
    lattice.wattle(&["app", "deploy", &manifest(&lattice)]).await.ok();
    let call = async |path: &str| lattice.wattle(&["call", "example/shop", path]).await;
    assert_eq!(call("/tea?count=2").await.ok().stdout, "700 CHF\n");
    assert_eq!(call("/tea?count=2&to=CH").await.ok().stdout, "718 CHF, 18 of it MWST\n");
    assert_eq!(call("/pot?to=DE").await.ok().stdout, "3451 CHF, 551 of it MwSt.\n");
    call("/pot?to=FR").await.naming(&["nothing is sold to FR"]);
    call("/car?to=CH").await.naming(&["no car"]);
    // Each link is for those at its ends: the first actor cannot reach the third.
    let why = ["why", "example/shop", "example/tax", "example:shop/taxes"];
    assert_ne!(lattice.wattle(&why).await.code, 0);
    let function = ["call", "example/tax", "example:shop/taxes.rate-of"];
    let rate = [&function[..], &[r#"{"country": "CH", "goods": "food"}"#]].concat();
    assert_eq!(lattice.ask(&rate).await["permille"], 26);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_actors_on_two_hosts_call_there_and_back() {
    let lattice = Lattice::start().await;
    let _second = lattice.neighbour("second").await;
    lattice.actor(Guest::Shop, "shop").await;
    lattice.actor_on("second", Guest::PriceList, "price-list", &[]).await;
    lattice.actor(Guest::Tax, "tax").await;
    lattice.link("shop", "price-list", "example:shop/prices", &[]).await;
    let call = ["call", "shop", "/tea?count=2&to=CH", "--trace"];
    // The second actor lacks its link: the first one fails, and what would help is said.
    lattice.wattle(&call).await.code(1);
    lattice.link("price-list", "tax", "example:shop/taxes", &[]).await;
    let said = lattice.wattle(&call).await.ok();
    assert_eq!(said.stdout, "718 CHF, 18 of it MWST\n");
    said.naming(&["shop -> price-list", "price-list -> tax", "-> second (remote)", "second -> "]);
}
