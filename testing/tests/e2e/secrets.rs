//! Secrets: an actor has those that its link names, from its own host, and nobody else has them.

use std::{fs, path::PathBuf};

use wattle_testing::{Guest, Lattice, Site, Turn};

const STORE: &str = "wasmcloud:secrets/store";
const BOTH: &str = "wasmcloud:secrets/store,wasmcloud:secrets/reveal";
const PASSWORD: &str = "correct horse battery staple";

/// The kit behind HTTP, on a host with secrets.
struct Scene {
    lattice: Lattice,
    kit: Site,
    folder: PathBuf,
}

impl Scene {
    async fn start() -> Self {
        let lattice = Lattice::prepare(Turn::shared().await);
        let folder = lattice.path().join("secrets");
        fs::create_dir(&folder).expect("a folder");
        fs::write(lattice.path().join("outside"), "not a secret of this host").expect("written");
        for (name, text) in [("db-password", PASSWORD), ("api-key", "key"), ("other", "other")] {
            fs::write(folder.join(name), format!("{text}\n")).expect("written");
        }
        lattice.up(&["--secrets-dir", &folder.to_string_lossy()]).await;
        let kit = lattice.serve(Guest::Kit, "kit").await;
        Self { lattice, kit, folder }
    }

    /// What the kit gets under a key.
    async fn secret(&self, key: &str) -> (u16, String) {
        let response = self.kit.get(&format!("/secret?key={key}")).await;
        (response.status, response.text())
    }

    async fn assert_denied(&self, key: &str, naming: &str) {
        let (status, text) = self.secret(key).await;
        assert!(status == 403 && text.starts_with("denied: "), "{key}: {status} {text}");
        assert!(text.contains(naming), "{key}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_actor_reads_the_secrets_that_its_link_names_and_no_other() {
    let scene = Scene::start().await;
    let lattice = &scene.lattice;
    scene.assert_denied("db-password", "wattle link put kit secrets wasmcloud:secrets/store").await;
    let nothing = lattice.wattle(&["link", "put", "kit", "secrets", BOTH]).await;
    nothing.code(3).naming(&["names no secret", "--constraint names=NAME"]);
    scene.assert_denied("db-password", "no link").await;

    let names = ["--constraint", "names=db-password,api-*"];
    lattice.link("kit", "secrets", BOTH, &names).await;
    assert_eq!(scene.secret("db-password").await, (200, PASSWORD.to_owned()));
    assert_eq!(scene.secret("api-key").await, (200, "key".to_owned()));
    assert_eq!(scene.secret("api-none").await, (404, "not-found".to_owned()));
    for key in ["other", "../outside", "..%2foutside", "/etc/passwd", "db-password%00", ""] {
        scene.assert_denied(key, "names no secret").await;
    }
    fs::write(scene.folder.join("db-password"), "rotated").expect("written");
    assert_eq!(scene.secret("db-password").await, (200, "rotated".to_owned()));

    let another = lattice.serve(Guest::Kit, "another").await;
    let denied = another.get("/secret?key=db-password").await;
    assert_eq!(denied.status, 403, "the link is the kit's: {}", denied.text());
    lattice.wattle(&["why", "kit", "secrets", STORE]).await.ok();
    lattice.wattle(&["why", "another", "secrets", STORE]).await.code(3).naming(&["no link"]);

    lattice.wattle(&["link", "del", "kit", "secrets", STORE]).await.ok();
    scene.assert_denied("db-password", "no link").await;
    let log = lattice.log().await;
    assert!(log.contains("call denied") && !log.contains(PASSWORD), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn to_have_a_secret_is_not_to_see_it() {
    let scene = Scene::start().await;
    scene.lattice.link("kit", "secrets", STORE, &["--constraint", "names=db-password"]).await;
    let blind = scene.kit.get("/secret?key=db-password&blind=1").await;
    assert_eq!((blind.status, blind.text().as_str()), (200, "read"));
    let seen = scene.kit.get("/secret?key=db-password").await;
    assert!(seen.status == 500 && !seen.text().contains(PASSWORD), "{}", seen.text());
    let log = scene.lattice.log().await;
    assert!(log.contains("does not cover wasmcloud:secrets/reveal"), "{log}");

    let shown = ["--name", "shown", "--constraint", "names=api-key"];
    scene.lattice.link("kit", "secrets", BOTH, &shown).await;
    let own = scene.kit.get("/secret?key=api-key&link=shown&over=default").await;
    assert_eq!((own.status, own.text().as_str()), (200, "key"), "it came over that link");
    let other = scene.kit.get("/secret?key=db-password&over=shown").await;
    assert!(other.status == 500 && !other.text().contains(PASSWORD), "{}", other.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_says_which_secret_is_meant_by_what_the_actor_asks_for() {
    let scene = Scene::start().await;
    let lattice = &scene.lattice;
    lattice.link("kit", "secrets", BOTH, &["--target-secret", "DB.Password=db-password"]).await;
    assert_eq!(scene.secret("DB.Password").await, (200, PASSWORD.to_owned()));
    scene.assert_denied("db-password", "names no secret").await;
    for wrong in [
        ["--target", "key=value"],
        ["--constraint", "names=../outside"],
        ["--constraint", "tables=a"],
        ["--locality", "remote"],
    ] {
        let put =
            [&["link", "put", "kit", "secrets", BOTH, "--name", "wrong"], &wrong[..]].concat();
        lattice.wattle(&put).await.code(3);
    }
    let links = lattice.ask(&["get", "links"]).await;
    let links = links.as_array().expect("links");
    let holds = |name: &str| {
        let is_it = |status: &&serde_json::Value| {
            status["link"]["target"]["id"] == "secrets" && status["link"]["name"] == name
        };
        links.iter().find(is_it).is_some_and(|status| status["state"]["active"].is_object())
    };
    assert!(holds("default") && !holds("wrong"), "{links:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_read_on_the_host_of_who_asks() {
    let scene = Scene::start().await;
    let lattice = &scene.lattice;
    let _second = lattice.neighbour("second").await; // which was given no secrets
    lattice.actor_on("second", Guest::Kit, "far", &[]).await;
    let far = lattice.expose("far").await;
    lattice.link("far", "secrets", BOTH, &["--constraint", "names=db-password"]).await;
    let answer = far.get("/secret?key=db-password").await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert!(answer.text().contains("no --secrets-dir"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_built_in_is_nobodys_to_start_or_stop() {
    let scene = Scene::start().await;
    let lattice = &scene.lattice;
    let inventory = lattice.inventory().await;
    assert_eq!(inventory["built-in"][0]["id"], "secrets", "{inventory}");
    let signed = lattice.chain().sign_actor(&Guest::Kit.component(), "kit");
    let file = lattice.write("signed.wasm", &signed);
    for command in [
        &["start", "actor", &file, "--id", "secrets"][..],
        &["start", "provider", "http-client", "--id", "lattice-control"],
        &["start", "provider", "secrets"],
        &["stop", "actor", "secrets"],
        &["stop", "provider", "secrets"],
        &["scale", "actor", "secrets", "3"],
    ] {
        let said = lattice.wattle(command).await;
        assert!(!said.is_ok(), "{said}");
        said.naming(&["built into every host"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_gives_its_actors_secrets_and_deploys_nothing_for_them() {
    let scene = Scene::start().await;
    let lattice = &scene.lattice;
    lattice.write("kit.wasm", &Guest::Kit.component());
    let text = "\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: vault, annotations: {version: v1}}
spec:
  components:
    - name: own
      type: component
      properties:
        image: file:kit.wasm
        secrets: [{name: db, properties: {key: db-password}}]
    - name: listed
      type: component
      properties: {image: 'file:kit.wasm'}
      traits:
        - type: link
          properties:
            target: keeper
            namespace: wasmcloud
            package: secrets
            interfaces: [store, reveal]
            constraints: {names: [api-*]}
    - name: keeper
      type: capability
      properties: {built-in: secrets}
";
    let manifest = lattice.write("vault.yaml", text.as_bytes());
    lattice.wattle(&["app", "validate", &manifest]).await.ok();
    lattice.wattle(&["app", "plan", &manifest]).await.ok();
    lattice.wattle(&["app", "deploy", &manifest]).await.ok();
    let own = lattice.expose("vault/own").await;
    let answer = own.get("/secret?key=db").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, PASSWORD));
    assert_eq!(own.get("/secret?key=api-key").await.status, 403);
    let listed = lattice.expose("vault/listed").await;
    assert_eq!(listed.get("/secret?key=api-key").await.text(), "key");
    assert_eq!(listed.get("/secret?key=db").await.status, 403);
}
