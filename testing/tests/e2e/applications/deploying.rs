//! Deploying, and what keeps a deployment from coming true.

use serde_json::json;
use wattle_testing::{Chain, Guest, Lattice, Load, eventually};

use super::{SOON, Web, version_of};

#[tokio::test(flavor = "multi_thread")]
async fn an_application_answers_when_deploy_says_so_and_leaves_nothing_behind() {
    let lattice = Lattice::start().await;
    let web = Web::new(&lattice, "shop", Guest::Hello);
    let said = lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    // What nobody had signed is signed now, which is said before.
    assert!(said.mentions("signed now by the project's account"), "{said}");
    assert!(said.mentions("shop/web -> shop/front: wasi:http/incoming-handler"), "{said}");
    assert_eq!(web.site.get("/").await.status, 200, "at once");
    lattice.wattle(&["call", "shop/front", "/"]).await.ok().naming(&["Hello"]);

    let generation = lattice.ask(&["app", "status", "shop"]).await["generation"].clone();
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let status = lattice.ask(&["app", "status", "shop"]).await;
    assert_eq!(status["generation"], generation, "the same again changes nothing");
    assert_eq!((&status["state"], &status["version"]), (&json!("settled"), &json!("v1")));
    let said = lattice.wattle(&["app", "deploy", &web.write_with("v1", "", "instances: 4")]).await;
    said.code(6).naming(&["v1", "annotation version"]);

    lattice.wattle(&["app", "undeploy", "shop"]).await.ok();
    assert!(web.site.try_get("/").await.is_err(), "nobody listens");
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    assert_eq!(web.site.get("/").await.status, 200, "again");

    lattice.wattle(&["app", "delete", "shop"]).await.ok();
    lattice.wattle(&["app", "status", "shop"]).await.code(4).naming(&["shop"]);
    let inventory = lattice.inventory().await;
    assert_eq!((&inventory["actors"], &inventory["providers"]), (&json!([]), &json!([])));
    assert_eq!(lattice.ask(&["get", "links"]).await, json!([]));
    assert_eq!(lattice.ask(&["app", "list"]).await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_deployed_is_said_with_its_reason_and_what_runs_goes_on() {
    let lattice = Lattice::start_alone().await;
    let web = Web::new(&lattice, "shop", Guest::Hello);
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let load = Load::new(&web.site, "/", 2);
    let shooting =
        tokio::spawn(async move { load.open(50.0, std::time::Duration::from_secs(40)).await });
    let runs_as_before = async || {
        let status = lattice.ask(&["app", "status", "shop"]).await;
        assert_eq!(version_of(&status), "v1", "{status}");
    };

    // Before anything is changed: an image that is not there, and one that somebody else signed.
    let missing = web.write("v2").replace("shop.yaml", "missing.yaml");
    let text = web.text("v2", "", "").replace("front.wasm", "nothing.wasm");
    lattice.write("missing.yaml", text.as_bytes());
    lattice.wattle(&["app", "deploy", &missing]).await.code(4).naming(&["nothing.wasm"]);
    let foreign = Chain::stranger().sign_actor(&Guest::Hello.component(), "front");
    lattice.write("foreign.wasm", &foreign);
    let text = web.text("v2", "", "").replace("front.wasm", "foreign.wasm");
    let file = lattice.write("foreign.yaml", text.as_bytes());
    lattice.wattle(&["app", "deploy", &file]).await.code(3).naming(&["front"]);
    runs_as_before().await;

    // By wadm, which goes back: no place, a port that is taken, a provider that ends at once.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("it is bound").to_string();
    let crashing = lattice.chain().sign_provider(std::fs::read("/bin/false").expect("it"), "bad");
    lattice.write("bad.tar", &crashing);
    let bad = "\n    - {name: bad, type: capability, properties: {image: 'file:bad.tar'}}";
    let nowhere = "spread: [{name: gpus, requirements: {gpu: 'true'}}]";
    for (version, text, reason) in [
        ("v3", web.text("v3", "", nowhere), "gpu"),
        ("v4", web.text("v4", "", "").replace(&web.site.address, &taken), "taken"),
        ("v5", web.text("v5", bad, ""), "exit"),
    ] {
        let file = lattice.write(&format!("{version}.yaml"), text.as_bytes());
        let said = lattice.wattle(&["app", "deploy", &file]).await.code(1);
        assert!(said.mentions(&format!("version {version} was given up")), "{said}");
        assert!(said.mentions(reason), "{said}");
        let status = lattice.ask(&["app", "status", "shop"]).await;
        let given_up = &status["state"]["given-up"];
        assert_eq!(given_up["version"], json!(version), "{status}");
        assert!(given_up["reason"].as_str().is_some_and(|it| it.contains(reason)), "{status}");
        runs_as_before().await;
        assert_eq!(web.site.get("/").await.status, 200, "{version}");
    }
    let shots = shooting.await.expect("the load does not panic");
    assert_eq!(shots.good().count(), shots.0.len(), "{shots}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_version_that_fails_is_said_with_its_reason() {
    let lattice = Lattice::start().await;
    let web = Web::new(&lattice, "shop", Guest::Hello);
    let text = web.text("v1", "", "spread: [{name: gpus, requirements: {gpu: 'true'}}]");
    let file = lattice.write("nowhere.yaml", text.as_bytes());
    let said = lattice.wattle(&["app", "deploy", &file, "--within", "3s"]).await.code(1);
    said.naming(&["shop/front", "gpu", "wattle app status shop"]);
    // As soon as there is a host for it, it runs.
    lattice.up(&["--name", "gpu", "--label", "gpu=true"]).await;
    eventually("it answers", SOON, async || {
        let answer = web.site.try_get("/").await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;
}
