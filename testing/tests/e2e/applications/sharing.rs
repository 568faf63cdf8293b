//! Two applications that use one http-server and one store.

use std::time::Duration;

use serde_json::json;
use wattle_testing::{Guest, Lattice, Load, Redis, free_port};

/// The application that has the providers, and one that uses them.
fn manifests(redis: &Redis, ports: [u16; 2]) -> [String; 2] {
    let counter = |name: &str, targets: &str, web: &str| {
        format!(
            "\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: {name}
  annotations: {{version: v1, experimental.wasmcloud.dev/shared: 'true'}}
spec:
  components:
    - name: counter
      type: component
      properties: {{image: 'file:counter.wasm'}}
      traits:
        - type: spreadscaler
          properties: {{instances: 4}}
        - type: link
          properties: {{target: store, namespace: wasi, package: keyvalue, interfaces: [store, atomics]}}
    - name: store
      type: capability
{targets}
    - name: web
      type: capability
{web}
"
        )
    };
    let link = |port: u16| {
        format!(
            "      traits:
        - type: link
          properties:
            target: counter
            namespace: wasi
            package: http
            interfaces: [incoming-handler]
            source: {{config: [{{name: at, properties: {{address: '127.0.0.1:{port}'}}}}]}}"
        )
    };
    let url = redis.url();
    let own_store = format!(
        "      properties: {{image: keyvalue-redis, config: [{{name: url, properties: {{url: '{url}'}}}}]}}"
    );
    let own_web = format!("      properties: {{image: http-server}}\n{}", link(ports[0]));
    let shared = |name: &str| {
        format!("      properties: {{application: {{name: first, component: {name}}}}}")
    };
    let shared_web = format!("{}\n{}", shared("web"), link(ports[1]));
    [counter("first", &own_store, &own_web), counter("second", &shared("store"), &shared_web)]
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_one_of_two_that_share_leaves_the_other_without_a_failed_request() {
    let redis = Redis::start().await;
    let lattice = Lattice::start_alone().await;
    lattice.write("counter.wasm", &Guest::Counter.component());
    let ports = [free_port(), free_port()];
    let [first, second] = manifests(&redis, ports);
    let files = [
        lattice.write("first.yaml", first.as_bytes()),
        lattice.write("second.yaml", second.as_bytes()),
    ];
    let site = |port: u16| wattle_testing::Site { address: format!("127.0.0.1:{port}") };
    let (one, other) = (site(ports[0]), site(ports[1]));

    // The one that uses the other's goes first, then the other's.
    lattice.wattle(&["app", "deploy", &files[0]]).await.ok();
    lattice.wattle(&["app", "deploy", &files[1]]).await.ok();
    assert_eq!((one.get("/a").await.status, other.get("/a").await.status), (200, 200));
    let load = Load::new(&one, "/a", 4);
    let shooting = tokio::spawn(async move { load.closed(Duration::from_secs(5)).await });
    lattice.wattle(&["app", "delete", "second"]).await.ok();
    let shots = shooting.await.expect("the load does not panic");
    assert_eq!(shots.good().count(), shots.0.len(), "{shots}");
    assert!(other.try_get("/a").await.is_err(), "nobody listens there");

    lattice.wattle(&["app", "deploy", &files[1]]).await.ok();
    let load = Load::new(&other, "/a", 4);
    let shooting = tokio::spawn(async move { load.closed(Duration::from_secs(5)).await });
    let said = lattice.wattle(&["app", "delete", "first"]).await.ok();
    assert!(said.mentions("second"), "{said}");
    assert!(one.try_get("/a").await.is_err(), "nobody listens there");
    let shots = shooting.await.expect("the load does not panic");
    assert_eq!(shots.good().count(), shots.0.len(), "{shots}");
    let inventory = lattice.inventory().await;
    let ids = |what: &str| -> Vec<String> {
        let all = inventory[what].as_array().expect("a list").iter();
        all.map(|it| it["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(ids("actors"), ["second/counter"]);
    assert_eq!(ids("providers"), ["first/store", "first/web"]);

    // What was kept for the last one's sake goes with it.
    lattice.wattle(&["app", "delete", "second"]).await.ok();
    wattle_testing::eventually("nothing is left", Duration::from_secs(10), async || {
        let inventory = lattice.inventory().await;
        let none = json!([]);
        let is_empty = inventory["actors"] == none && inventory["providers"] == none;
        let all = lattice.ask(&["app", "list"]).await;
        (is_empty && all == none).then_some(())
    })
    .await;
    assert_eq!(lattice.ask(&["get", "links"]).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_not_settled_whose_store_another_does_not_have_any_more() {
    let redis = Redis::start().await;
    let lattice = Lattice::start_alone().await;
    lattice.write("counter.wasm", &Guest::Counter.component());
    let [first, second] = manifests(&redis, [free_port(), free_port()]);
    for (file, text) in [("first.yaml", &first), ("second.yaml", &second)] {
        let file = lattice.write(file, text.as_bytes());
        lattice.wattle(&["app", "deploy", &file]).await.ok();
    }
    let status = async || lattice.ask(&["app", "status", "second"]).await;
    assert_eq!(status().await["state"], "settled");

    // Its next version has the web alone.
    let (head, rest) = first.split_once("  components:\n").expect("components");
    let (_, web) = rest.split_once("    - name: web\n").expect("the web");
    let (web, _) = web.split_once("      traits:").expect("its link");
    let next = format!("{head}  components:\n    - name: web\n{web}")
        .replace("version: v1", "version: v2");
    let file = lattice.write("next.yaml", next.as_bytes());
    lattice.wattle(&["app", "deploy", &file]).await.ok();
    wattle_testing::eventually("it is said", Duration::from_secs(10), async || {
        let status = status().await;
        let failed = status["failed-links"].as_object().expect("links").values();
        let says = |reason: &serde_json::Value| reason.to_string().contains("has first/store");
        (status["state"] == "failing" && failed.clone().any(says)).then_some(())
    })
    .await;
    let said = lattice.wattle(&["app", "status", "second"]).await;
    assert!(said.mentions("first/store"), "{said}");
}
