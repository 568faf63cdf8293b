//! A version in the place of another, under load.

use std::time::{Duration, Instant};

use serde_json::json;
use wattle_core::{app::ApplicationState, event::Event};
use wattle_testing::{Guest, Lattice, Load, event, eventually};

use super::{SOON, Web, version_of};

async fn three_hosts() -> Lattice {
    let lattice = Lattice::start_alone().await;
    for name in ["b", "c"] {
        lattice.up(&["--name", name]).await;
    }
    lattice
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_version_comes_without_a_failed_request() {
    let lattice = three_hosts().await;
    let mut web = Web::new(&lattice, "shop", Guest::Kit);
    web.instances = 9;
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let load = Load::new(&web.site, "/sleep?ms=20", 8);
    let shooting = tokio::spawn(async move { load.closed(Duration::from_secs(16)).await });
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
    // Back to the one before, and to one that the deployment has long forgotten.
    for (back, version) in [(&["shop"][..], "v-12"), (&["shop", "v1"], "v1")] {
        lattice.wattle(&[&["app", "rollback"], back].concat()).await.ok();
        let status = lattice.ask(&["app", "status", "shop"]).await;
        assert_eq!((version_of(&status), &status["state"]), (version, &json!("settled")));
    }
    let shots = shooting.await.expect("the load does not panic");
    println!("{shots}");
    assert_eq!(shots.good().count(), shots.0.len(), "{shots}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_version_is_kept_as_it_was_until_its_application_is_deleted() {
    let lattice = Lattice::start().await;
    let web = Web::new(&lattice, "shop", Guest::Hello);
    lattice.wattle(&["app", "history", "shop"]).await.code(4).naming(&["shop"]);
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    lattice.wattle(&["app", "rollback", "shop"]).await.code(4).naming(&["wattle app history shop"]);
    for version in ["v2", "1.0.0+build.7", "v4", "v5", "v6"] {
        let instances = format!("instances: {}", version.len());
        let file = web.write_with(version, "", &instances);
        lattice.wattle(&["app", "deploy", &file]).await.ok();
    }
    let history = lattice.ask(&["app", "history", "shop"]).await;
    let versions: Vec<&str> = history["versions"]
        .as_array()
        .expect("versions")
        .iter()
        .map(|it| it["version"].as_str().expect("a name"))
        .collect();
    assert_eq!(versions, ["v6", "v5", "v4", "1.0.0+build.7", "v2", "v1"]);
    assert_eq!((&history["runs"], &history["older"]), (&json!("v6"), &json!(0)));
    lattice.wattle(&["app", "history", "shop"]).await.ok().naming(&["1.0.0+build.7", "runs"]);

    // The first one again, to the byte.
    let first = lattice.ask(&["app", "get", "shop", "v1"]).await;
    assert_eq!((&first["runs"], &first["version"]["name"]), (&json!(false), &json!("v1")));
    let said = lattice.wattle(&["app", "rollback", "shop", "v1", "--dry-run"]).await.ok();
    said.naming(&["shop v1 grants", "nothing is changed"]);
    lattice.wattle(&["app", "rollback", "shop", "v1"]).await.ok();
    assert_eq!(web.site.get("/").await.status, 200);
    let again = lattice.ask(&["app", "get", "shop"]).await;
    assert_eq!((&again["runs"], &again["version"]), (&json!(true), &first["version"]));
    lattice.wattle(&["app", "get", "shop"]).await.ok().naming(&["shop v1: runs", "shop/front"]);
    let said = lattice.wattle(&["app", "rollback", "shop", "v7"]).await.code(4);
    said.naming(&["no version v7 of shop is kept", "wattle app history shop"]);
    // A name means one thing for good, however long ago it was deployed.
    let said = lattice.wattle(&["app", "deploy", &web.write_with("v2", "", "instances: 7")]).await;
    said.code(6).naming(&["version v2 of shop is there", "annotation version"]);
    let status = lattice.ask(&["app", "status", "shop"]).await;
    assert_eq!(version_of(&status), "v1");

    lattice.wattle(&["app", "delete", "shop"]).await.ok();
    lattice.wattle(&["app", "history", "shop"]).await.code(4);
    lattice.wattle(&["app", "deploy", &web.write_with("v2", "", "instances: 7")]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_answer_its_probe_gives_way_to_the_one_before() {
    let lattice = Lattice::start().await;
    let web = Web::new(&lattice, "shop", Guest::Kit);
    let insider = lattice.insider().await;
    let mut events = insider.events().await;
    let probed = |version: &str, queue: u32, path: &str| {
        let properties = format!(
            "image: 'file:front.wasm', limits: {{queue: {queue}}}, health: {{path: '{path}'}}"
        );
        let text = web.text(version, "", "").replace("image: 'file:front.wasm'", &properties);
        lattice.write(&format!("{version}.yaml"), text.as_bytes())
    };
    lattice.wattle(&["app", "deploy", &probed("v1", 70, "/status?code=204")]).await.ok();
    let state_of = |wanted: &'static str| {
        move |event: &Event| match event {
            Event::ApplicationChanged { application, version, state, problems, .. }
                if application.as_str() == "shop" && version.as_str() == wanted =>
            {
                Some((state.clone(), problems.clone()))
            }
            _ => None,
        }
    };
    let settled =
        |event: &Event| state_of("v1")(event).filter(|it| it.0 == ApplicationState::Settled);
    event(&mut events, settled).await;

    // An error, no answer in time, and a trap.
    for (version, queue, path, reason) in [
        ("v2", 71, "/status?code=500", "500 Internal Server Error"),
        ("v3", 72, "/sleep?ms=3000", "/sleep?ms=3000"),
        ("v4", 73, "/trap", "/trap"),
    ] {
        let said = lattice.wattle(&["app", "deploy", &probed(version, queue, path)]).await.code(1);
        said.naming(&[&format!("version {version} was given up"), "shop/front", reason]);
        let status = lattice.ask(&["app", "status", "shop"]).await;
        assert_eq!(version_of(&status), "v1");
        let given_up = |event: &Event| match state_of("v1")(event)?.0 {
            ApplicationState::GivenUp { version, reason } => Some((version, reason)),
            _ => None,
        };
        let (given_up, why) = event(&mut events, given_up).await;
        assert_eq!(given_up.as_str(), version);
        assert!(why.contains(reason), "{why}");
    }
    lattice.wattle(&["app", "deploy", &probed("v5", 74, "/")]).await.ok();
    // What has no actor is told by the reader, what is no program of it by the host.
    let bad = probed("v6", 75, "nowhere");
    lattice
        .wattle(&["app", "deploy", &bad])
        .await
        .code(1)
        .naming(&["a probe's path begins with /"]);
    lattice.wattle(&["app", "delete", "shop"]).await.ok();
    let ended = |event: &Event| matches!(event, Event::ApplicationEnded { .. }).then_some(());
    event(&mut events, ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_has_its_part_first_and_takes_the_rest_when_it_has_been_well() {
    let lattice = three_hosts().await;
    let mut web = Web::new(&lattice, "shop", Guest::Kit);
    web.instances = 9;
    let canary = |version: &str, queue: u32, health: &str| {
        let properties = format!(
            "image: 'file:front.wasm', limits: {{queue: {queue}}}, health: {{path: '{health}'}}"
        );
        let text = web.text(version, "", "").replace("image: 'file:front.wasm'", &properties);
        let text = text.replace("timeout: 4s", "timeout: 4s, canary: {weight: 34, for: 4s}");
        lattice.write(&format!("{version}.yaml"), text.as_bytes())
    };
    lattice.wattle(&["app", "deploy", &canary("v1", 71, "/")]).await.ok();
    let load = Load::new(&web.site, "/sleep?ms=20", 4);
    let shooting = tokio::spawn(async move { load.closed(Duration::from_secs(22)).await });
    let file = canary("v2", 72, "/");
    lattice.wattle(&["app", "deploy", &file, "--detach"]).await.ok();
    let status = eventually("it is a canary", SOON, async || {
        let status = lattice.ask(&["app", "status", "shop"]).await;
        (status["state"] == json!("canary")).then_some(status)
    })
    .await;
    let began = Instant::now();
    let front = &status["components"][0];
    let hosts = front["hosts"].as_array().expect("hosts");
    let new: Vec<&serde_json::Value> =
        hosts.iter().filter(|host| host["ready"] != json!(0)).collect();
    assert_eq!((new.len(), &new[0]["ready"]), (1, &json!(3)), "{front}");
    // The same again waits until it is everywhere.
    lattice.wattle(&["app", "deploy", &file]).await.ok();
    assert!(began.elapsed() > Duration::from_secs(3), "{:?}", began.elapsed());
    let status = lattice.ask(&["app", "status", "shop"]).await;
    assert_eq!((version_of(&status), &status["components"][0]["ready"]), ("v2", &json!(9)));

    // A bad one comes to no other host, and is gone soon.
    let said = lattice.wattle(&["app", "deploy", &canary("v3", 73, "/trap")]).await.code(1);
    said.naming(&["version v3 was given up", "/trap"]);
    let status = lattice.ask(&["app", "status", "shop"]).await;
    assert_eq!((version_of(&status), &status["components"][0]["ready"]), ("v2", &json!(9)));
    let shots = shooting.await.expect("the load does not panic");
    println!("{shots}");
    assert_eq!(shots.good().count(), shots.0.len(), "{shots}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_fails_leaves_what_runs() {
    let lattice = Lattice::start().await;
    let web = Web::new(&lattice, "shop", Guest::Hello);
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let other = Web::new(&lattice, "shop", Guest::Hello);
    lattice.wattle(&["app", "deploy", &other.write("v2")]).await.ok();
    // Somebody else has the port by now.
    let _taken = std::net::TcpListener::bind(&web.site.address).expect("nobody has it");
    let load = Load::new(&other.site, "/", 2);
    let shooting = tokio::spawn(async move { load.open(50.0, Duration::from_secs(8)).await });
    let said = lattice.wattle(&["app", "rollback", "shop", "v1"]).await.code(1);
    said.naming(&["version v1 was given up", "taken"]);
    let status = lattice.ask(&["app", "status", "shop"]).await;
    assert_eq!(
        (version_of(&status), &status["state"]["given-up"]["version"]),
        ("v2", &json!("v1"))
    );
    let shots = shooting.await.expect("the load does not panic");
    assert_eq!(shots.good().count(), shots.0.len(), "{shots}");
}

/// What runs is not stopped for what cannot be started in its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_no_host_can_start_leaves_what_runs() {
    let lattice = Lattice::start_alone().await;
    let web = Web::new(&lattice, "shop", Guest::Hello);
    lattice.wattle(&["app", "deploy", &web.write("v1")]).await.ok();
    let load = Load::new(&web.site, "/", 2);
    let shooting = tokio::spawn(async move { load.open(50.0, Duration::from_secs(14)).await });
    // The same component with a secret that the host does not have, and the same provider as a process that ends at once.
    let secret =
        "image: 'file:front.wasm', config: [{name: own, properties: {key: {secret: nowhere}}}]";
    let text = web.text("v2", "", "").replace("image: 'file:front.wasm'", secret);
    let ending = lattice.chain().sign_provider(std::fs::read("/bin/false").expect("it"), "bad");
    lattice.write("bad.tar", &ending);
    let other = web.text("v3", "", "").replace("image: http-server", "image: 'file:bad.tar'");
    for (version, text, part) in [("v2", text, "shop/front"), ("v3", other, "shop/web")] {
        let file = lattice.write(&format!("{version}.yaml"), text.as_bytes());
        let said = lattice.wattle(&["app", "deploy", &file]).await.code(1);
        said.naming(&[&format!("version {version} was given up"), part]);
    }
    let status = lattice.ask(&["app", "status", "shop"]).await;
    assert_eq!(version_of(&status), "v1");
    assert_eq!(web.site.get("/").await.status, 200);
    let shots = shooting.await.expect("the load does not panic");
    println!("{shots}");
    assert!(shots.good().count() > 0);
    // The actor goes on without a gap. A provider has one process, which makes way for each try, and is denied what its successor's
    // link would be for until that one is given up.
    let first = shots.between(shots.0[0].at, shots.0[0].at + Duration::from_secs(4));
    assert_eq!(first.good().count(), first.0.len(), "{first}");
}

/// A host that is gone takes places from the version before as well: it is no reason to go back to that one.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_lacks_no_more_places_than_the_one_before_is_kept() {
    const STORES: &str = "
    - name: store
      type: capability
      properties: {image: keyvalue-embedded}
      traits: [{type: spreadscaler, properties: {instances: 3}}]";
    let lattice = Lattice::start_alone().await;
    for name in ["b", "c"] {
        lattice.up(&["--name", name, "--label", "may=go"]).await;
    }
    let mut web = Web::new(&lattice, "shop", Guest::Hello);
    web.pinned = Some("may: go".to_owned());
    lattice.wattle(&["app", "deploy", &web.write_with("v1", STORES, "")]).await.ok();
    lattice.wattle(&["drain", "c", "--force"]).await.ok();
    let status = async || lattice.ask(&["app", "status", "shop"]).await;
    eventually("it lacks a place", SOON, async || {
        (status().await["state"] == "failing").then_some(())
    })
    .await;
    // Longer than its rollout may take.
    let file = web.write_with("v2", STORES, "instances: 4");
    let said = lattice.wattle(&["app", "deploy", &file, "--within", "7s"]).await.code(1);
    said.naming(&["shop/store", "no place for 1 instances"]);
    let then = status().await;
    assert_eq!((version_of(&then), &then["state"]), ("v2", &json!("failing")), "{then}");
    assert_eq!(web.site.get("/").await.status, 200);
    lattice.wattle(&["drain", "c", "--undo"]).await.ok();
    eventually("it has all of them", SOON, async || {
        let status = status().await;
        (version_of(&status) == "v2" && status["state"] == "settled").then_some(())
    })
    .await;
}
