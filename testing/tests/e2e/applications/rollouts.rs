//! A version in the place of another, under load.

use std::time::Duration;

use wattle_testing::{Guest, Lattice, Load};

use super::{Web, version_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_good_version_comes_without_a_failed_request() {
    let lattice = Lattice::start_alone().await;
    for name in ["b", "c"] {
        lattice.up(&["--name", name]).await;
    }
    let mut web = Web::new(&lattice, "shop", Guest::Kit);
    web.instances = 9;
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let load = Load::new(&web.site, "/sleep?ms=20", 8);
    let shooting = tokio::spawn(async move { load.closed(Duration::from_secs(12)).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Another program under the same id: another limit.
    let slower = web
        .text("v2", "", "")
        .replace("image: 'file:front.wasm'", "image: 'file:front.wasm', limits: {queue: 77}");
    assert!(slower.contains("queue"));
    let file = lattice.write("v2.yaml", slower.as_bytes());
    lattice.wattle(&["app", "deploy", &file]).await.ok();
    let status = lattice.ask(&["app", "status", "shop"]).await;
    assert_eq!(version_of(&status), "v2");
    // And more, and less, of it.
    for instances in [12, 3] {
        web.instances = instances;
        let version = format!("v-{instances}");
        let text = web.text(&version, "", "");
        let file = lattice.write("more.yaml", text.as_bytes());
        lattice.wattle(&["app", "deploy", &file]).await.ok();
    }
    let shots = shooting.await.expect("the load does not panic");
    println!("{shots}");
    assert_eq!(shots.good().count(), shots.0.len(), "{shots}");
}
