//! Components that others wrote, against published interfaces, run unchanged.

mod made;
mod refused;

use std::time::Duration;

use wattle_testing::{Guest, KEY_VALUE, Lattice, Redis, Site, eventually};

use self::made::{component, published, published_as, wasi};

const BLOBS: &str = "wasi:blobstore/blobstore,wasi:blobstore/container";
const CONSUMER: &str = "wasmcloud:messaging/consumer";
const HANDLER: &str = "wasmcloud:messaging/handler";
const OUTGOING: &str = "wasi:http/outgoing-handler";
/// How long what has to come may take on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// Signs a component for exactly its imports and exports and starts it.
async fn start(lattice: &Lattice, id: &str, component: &[u8]) -> wattle_testing::Said {
    let file = lattice.write(&format!("{id}.wasm"), &lattice.chain().sign_actor(component, id));
    lattice.wattle(&["start", "actor", &file, "--id", id]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_patch_version_of_wasi_starts() {
    let lattice = Lattice::start().await;
    let patches = (0..=13).chain([99]);
    for patch in patches {
        let version = format!("0.2.{patch}");
        let world = format!(
            "include wasi:cli/imports@{version};
             import wasi:http/outgoing-handler@{version};
             export wasi:http/incoming-handler@{version};"
        );
        let component = component(&wasi(&version), &world);
        start(&lattice, &format!("wasi-0-2-{patch}"), &component).await.ok();
    }
}

/// Name, packages and world of a component for each published package, with the versions that it is known under.
fn worlds() -> Vec<(String, Vec<String>, String)> {
    let mut worlds = Vec::new();
    let mut add = |name: &str, packages: &[String], world: &str| {
        worlds.push((name.to_owned(), packages.to_vec(), world.to_owned()));
    };
    let keyvalue = "import wasi:keyvalue/store@0.2.0-draft;
        import wasi:keyvalue/atomics@0.2.0-draft;
        import wasi:keyvalue/batch@0.2.0-draft;";
    add("keyvalue", &[published("keyvalue")], keyvalue);
    let watching = format!("{keyvalue} export wasi:keyvalue/watcher@0.2.0-draft;");
    add("keyvalue-watcher", &[published("keyvalue")], &watching);
    let config = "import wasi:config/runtime@0.2.0-draft;
        import wasi:config/store@0.2.0-draft;
        import wasi:config/store@0.2.0-rc.1;";
    add("config", &[published("config-draft"), published("config-rc")], config);
    add("logging", &[published("logging")], "import wasi:logging/logging@0.1.0-draft;");
    add("logging-bare", &[published_as("logging", "")], "import wasi:logging/logging;");
    for version in ["0.2.0", "0.2.1", "0.2.9"] {
        let world = format!(
            "import wasmcloud:messaging/consumer@{version};
             export wasmcloud:messaging/handler@{version};"
        );
        let name = format!("messaging-{}", version.replace('.', "-"));
        add(&name, &[published_as("messaging", version)], &world);
    }
    for (major, version) in
        [(1, "1.0.0"), (1, "1.0.3"), (2, "2.0.0"), (2, "2.0.1"), (2, "2.0.7"), (2, "2.1.0")]
    {
        let name = format!("bus-{}", version.replace('.', "-"));
        let package = published_as(&format!("bus-{major}"), version);
        add(&name, &[package], &format!("import wasmcloud:bus/lattice@{version};"));
    }
    let postgres = "import wasmcloud:postgres/query@0.1.1-draft;
        import wasmcloud:postgres/prepared@0.1.1-draft;";
    add("postgres", &[published("postgres")], postgres);
    let secrets = "import wasmcloud:secrets/store@0.1.0-draft;
        import wasmcloud:secrets/reveal@0.1.0-draft;";
    add("keeps-secrets", &[published("secrets")], secrets);
    for version in ["0.2.0", "0.2.6", "0.2.99"] {
        let blobstore = published("blobstore").replace("@0.2.0.{", &format!("@{version}.{{"));
        let world = "import wasi:blobstore/blobstore@0.2.0-draft;";
        let name = format!("blobstore-{}", version.replace('.', "-"));
        add(&name, &[wasi(version), vec![blobstore]].concat(), world);
    }
    // As wasmCloud's own examples have it, and what a runtime such as Python's brings along.
    let mut packages = wasi("0.2.3");
    packages.extend(["keyvalue", "logging", "bus-2", "messaging"].map(published));
    let world = "include wasi:cli/imports@0.2.3;
        include wasi:http/proxy@0.2.3;
        import wasi:keyvalue/atomics@0.2.0-draft;
        import wasi:logging/logging@0.1.0-draft;
        import wasmcloud:bus/lattice@2.0.1;
        import wasmcloud:messaging/consumer@0.2.0;
        export wasmcloud:messaging/handler@0.2.0;";
    add("together", &packages, world);
    worlds
}

#[tokio::test(flavor = "multi_thread")]
async fn components_of_every_published_package_start() {
    let lattice = Lattice::start().await;
    let mut refused = Vec::new();
    for (name, packages, world) in worlds() {
        let said = start(&lattice, &name, &component(&packages, &world)).await;
        if !said.is_ok() {
            refused.push(said.to_string());
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// A component without a line of Wattle's, with everything that it uses.
struct Scene {
    lattice: Lattice,
    stranger: Site,
    redis: Redis,
}

impl Scene {
    async fn start() -> Self {
        let redis = Redis::start().await;
        let lattice = Lattice::start().await;
        for provider in ["keyvalue-embedded", "blobstore-fs", "messaging-redis", "http-client"] {
            lattice.provider(provider).await;
        }
        lattice.wattle(&["config", "put", "settings", "greeting=hi"]).await.ok();
        lattice.actor_with(Guest::Stranger, "stranger", &["--config", "settings"]).await;
        let stranger = lattice.expose("stranger").await;
        lattice.link("stranger", "keyvalue-embedded", KEY_VALUE, &[]).await;
        lattice.link("stranger", "blobstore-fs", BLOBS, &[]).await;
        let url = format!("url={}", redis.url());
        lattice.link("stranger", "messaging-redis", CONSUMER, &["--target", &url]).await;
        let handing = ["--source", &url, "--source", "subscriptions=strangers.news"];
        lattice.link("messaging-redis", "stranger", HANDLER, &handing).await;
        Self { lattice, stranger, redis }
    }

    async fn says(&self, path: &str) -> String {
        let response = self.stranger.get(path).await;
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.text()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_knows_nothing_of_wattle_uses_every_capability() {
    let scene = Scene::start().await;
    assert_eq!(scene.says("/").await, "stranger");
    assert_eq!(scene.says("/counter").await, "3 2 a false true");
    let settings = r#"Some("hi") Some("hi") None (1, 1)"#;
    assert_eq!(scene.says("/settings").await, settings);
    assert_eq!(scene.says("/log").await, "logged");
    let log = scene.lattice.log().await;
    assert!(log.contains("seen from afar"), "{log}");
    assert_eq!(scene.says("/object").await, "10 some bytes some first,second");
    assert_eq!(scene.says("/publish?strangers.news").await, "published");
    eventually("the message is handled", PATIENCE, async || {
        let response = scene.stranger.get("/handled").await;
        (response.text() == "from a stranger").then_some(())
    })
    .await;
    drop(scene.redis);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_knows_nothing_of_wattle_asks_the_web_and_chooses_its_links() {
    let lattice = Lattice::start().await;
    lattice.provider("http-client").await;
    lattice.provider("keyvalue-embedded").await;
    let asked = lattice.serve(Guest::Hello, "asked").await;
    let stranger = lattice.serve(Guest::Stranger, "stranger").await;
    let ask = format!("/ask?{}", asked.address);
    let denied = stranger.get(&ask).await;
    assert_eq!((denied.status, denied.text().as_str()), (502, "ErrorCode::HttpRequestDenied"));
    let hosts = format!("allowed-hosts=http://{}", asked.address);
    let allowed = ["--constraint", &hosts, "--constraint", "allowed-addresses=127.0.0.0/8"];
    lattice.link("stranger", "http-client", OUTGOING, &allowed).await;
    let answer = stranger.get(&ask).await;
    assert!(answer.text().starts_with("200 "), "{}", answer.text());

    lattice.link("stranger", "keyvalue-embedded", KEY_VALUE, &["--name", "other"]).await;
    assert_eq!(stranger.get("/counter").await.status, 502);
    assert_eq!(stranger.get("/other-link?other").await.text(), "3 2 a false true");
    assert_eq!(stranger.get("/other-link?No%20Name").await.status, 502);
}
