//! The provider's process against a real S3 server: the contract, and what is left when either is killed or hangs.

#[path = "../../sql-postgres/tests/postgres/beside.rs"]
mod beside;
#[path = "../../blobstore-fs/tests/files/link.rs"]
mod link;
#[path = "s3/moves.rs"]
mod moves;
#[path = "s3/outages.rs"]
mod outages;
#[path = "s3/rounds.rs"]
mod rounds;
#[path = "s3/server.rs"]
mod server;

use std::path::Path;

use link::Link;
use server::Server;
use tempfile::TempDir;
use wattle_blobstore::{
    Caller, Failure,
    conformance::{self, pattern::Pattern},
    wire::ObjectId,
};
use wattle_core::{CallError, Constraints, ErrorKind, link::Settings};
use wattle_sdk::{
    Body,
    test_host::{Launch, TestHost},
};

/// A gigabyte.
const LONG: u64 = 1 << 30;

/// What a provider may take for itself while a gigabyte passes through it: two parts, windows, code and certificates.
const MEMORY_MAX: u64 = 128 * 1024 * 1024;

/// A server, and a provider with a folder; they go with this.
struct Store {
    server: Server,
    host: TestHost,
    dir: TempDir,
}

impl Store {
    async fn start() -> Self {
        let (server, dir) = (Server::start(), tempfile::tempdir().expect("a folder"));
        let host = start(dir.path()).await;
        Self { server, host, dir }
    }

    async fn caller(&self) -> Caller<Link> {
        link::caller(&self.host, Constraints::new(), self.server.settings()).await
    }

    /// Kills the provider and starts another in its place.
    async fn crash(mut self) -> Self {
        self.host.kill().await;
        let host = start(self.dir.path()).await;
        Self { host, ..self }
    }
}

/// The provider, with its journal in this folder.
async fn start(dir: &Path) -> TestHost {
    TestHost::start(Launch::new(env!("CARGO_BIN_EXE_wattle-blobstore-s3")).data_dir(dir)).await
}

async fn put(store: &Caller<Link>, container: &str, name: &str, text: &str) -> Result<(), Failure> {
    store.write_data(container, name, Body::full(text.to_owned())).await?.finish().await
}

async fn get(store: &Caller<Link>, container: &str, name: &str) -> Result<String, Failure> {
    let mut download = store.get_data(container, name, 0, u64::MAX).await?;
    let data = download.body.collect(1 << 20).await?;
    Ok(String::from_utf8(data.into()).expect("text"))
}

#[tokio::test]
async fn blobstore_s3_keeps_wasi_blobstore() {
    let store = Store::start().await;
    let caller = async |constraints, settings: Settings| {
        let all = store.server.settings().into_iter().chain(settings).collect();
        link::caller(&store.host, constraints, all).await
    };
    conformance::run(caller).await;
    outages::until_nothing_is_unfinished(&store).await;
}

#[tokio::test]
async fn a_gigabyte_passes_through_constant_memory() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("long").await.expect("made");
    let upload = caller.write_data("long", "long", Pattern::new(9).body(LONG)).await;
    upload.expect("begun").finish().await.expect("written");
    let mut download = caller.get_data("long", "long", 0, u64::MAX).await.expect("it is there");
    assert_eq!(download.size, LONG);
    assert_eq!(Pattern::new(9).check(&mut download.body).await, Ok(LONG));
    let memory = store.host.peak_memory();
    assert!(memory < MEMORY_MAX, "{memory} bytes");
}

#[tokio::test]
async fn links_that_come_and_go_leave_no_open_files() {
    let store = Store::start().await;
    let warm = store.caller().await;
    warm.create_container("links").await.expect("made");
    let mut before = None;
    for round in 0..100 {
        let (link, caller) =
            link::put_link(&store.host, Constraints::new(), store.server.settings())
                .await
                .expect("a link");
        put(&caller, "links", "a/b", "x").await.expect("written");
        assert_eq!(get(&caller, "links", "a/b").await.as_deref(), Ok("x"));
        store.host.delete(link).await;
        let gone = get(&caller, "links", "a/b").await;
        assert!(matches!(gone, Err(Failure::Call(CallError { kind: ErrorKind::Denied, .. }))));
        if round == 10 {
            before = Some(store.host.open_files());
        }
    }
    // Connections come and go, and those that nobody uses are kept for a while.
    let before = before.expect("ten rounds");
    let closed = async {
        while store.host.open_files() > before + 2 {
            tokio::time::sleep(link::PAUSE).await;
        }
    };
    let closed = tokio::time::timeout(link::CLOSED_WITHIN, closed).await;
    closed.unwrap_or_else(|_| panic!("{before} became {}", store.host.open_files()));
}

#[tokio::test]
async fn a_link_that_cannot_hold_says_why_and_no_secret() {
    let store = Store::start().await;
    let with = |name: &str, value: &str| {
        let mut settings = store.server.settings();
        settings.insert(name.to_owned(), value.to_owned());
        settings
    };
    let unknown = Constraints::from([("tables".to_owned(), vec![])]);
    let mut no_key = store.server.settings();
    no_key.remove("secret_access_key");
    let refused = [
        (unknown, store.server.settings(), "tables"),
        (Constraints::new(), no_key, "secret_access_key"),
        (Constraints::new(), with("endpoint", "geheim"), "endpoint"),
        (Constraints::new(), with("aliases", "geheim"), "aliases"),
        (Constraints::new(), with("max_object_bytes", "many"), "max_object_bytes"),
    ];
    for (constraints, settings, named) in refused {
        let reason = link::put_link(&store.host, constraints, settings).await.err().expect(named);
        assert!(reason.contains(named) && !reason.contains("geheim"), "{reason}");
    }
}

#[tokio::test]
async fn a_key_that_s3_refuses_is_told_and_the_key_is_not() {
    let store = Store::start().await;
    let mut settings = store.server.settings();
    settings.insert("secret_access_key".to_owned(), "geheim".to_owned());
    let caller = link::caller(&store.host, Constraints::new(), settings).await;
    for answer in [
        caller.create_container("denied").await,
        caller.list_objects("denied", None, 1).await.map(drop),
        caller.get_data("denied", "x", 0, 1).await.map(drop),
    ] {
        let Err(Failure::Store(error)) = answer else { panic!("{answer:?}") };
        assert!(error.0.contains("does not allow"), "{error}");
        assert!(!error.0.contains("geheim"), "{error}");
    }
}

#[tokio::test]
async fn a_container_may_be_a_bucket_of_another_name() {
    let store = Store::start().await;
    let mut settings = store.server.settings();
    settings.insert("aliases".to_owned(), r#"{"Pictures": "acme-pictures"}"#.to_owned());
    let only = Constraints::from([("containers".to_owned(), vec!["Pictures".to_owned()])]);
    let caller = link::caller(&store.host, only, settings).await;
    caller.create_container("Pictures").await.expect("made");
    put(&caller, "Pictures", "cat", "x").await.expect("written");
    assert!(store.server.bucket("acme-pictures").join("cat").is_file());
    let copy = ObjectId::new("Pictures", "copy");
    caller.copy_object(ObjectId::new("Pictures", "cat"), copy).await.expect("copied");
    let info = caller.object_info("Pictures", "copy").await.expect("it is there");
    assert_eq!(info.container, "Pictures");
    let denied = caller.get_container("acme-pictures").await;
    assert!(matches!(denied, Err(Failure::Call(CallError { kind: ErrorKind::Denied, .. }))));
}

/// Of an address a server takes `%2F` for a slash, and what is behind a `?` for no part of an object's name.
#[tokio::test]
async fn no_container_s_name_leads_to_what_the_link_does_not_allow() {
    let store = Store::start().await;
    let owner = store.caller().await;
    owner.create_container("conf").await.expect("made");
    for name in ["other/secret", "other/cart/x"] {
        put(&owner, "conf", name, "secret").await.expect("written");
    }
    let within = Constraints::from([("prefix".to_owned(), vec!["cart/".to_owned()])]);
    let caller = link::caller(&store.host, within, store.server.settings()).await;
    for container in [
        "conf%2Fother%2Fsecret?versionId=",
        "conf%2Fother%2Fsecret?",
        "conf%2Fother%2Fsecret#",
        "conf%2Fother",
    ] {
        let (src, dest) =
            (ObjectId::new(container, "cart/x"), ObjectId::new("conf", "cart/stolen"));
        for answer in [
            caller.copy_object(src.clone(), dest.clone()).await,
            caller.move_object(src.clone(), dest.clone()).await,
            caller.copy_object(dest, src).await,
            get(&caller, container, "cart/x").await.map(drop),
            put(&caller, container, "cart/x", "mine").await,
            caller.delete_object(container, "cart/x").await,
            caller.list_objects(container, None, 1).await.map(drop),
        ] {
            assert!(matches!(answer, Err(Failure::Store(_))), "{container}: {answer:?}");
        }
    }
    assert_eq!(owner.has_object("conf", "cart/stolen").await, Ok(false));
    for name in ["other/secret", "other/cart/x"] {
        assert_eq!(get(&owner, "conf", name).await.as_deref(), Ok("secret"), "{name}");
    }
}

#[tokio::test]
async fn an_object_moved_to_the_same_bucket_by_another_name_stays() {
    let store = Store::start().await;
    let mut settings = store.server.settings();
    settings.insert("aliases".to_owned(), r#"{"one": "both", "two": "both"}"#.to_owned());
    let caller = link::caller(&store.host, Constraints::new(), settings).await;
    caller.create_container("one").await.expect("made");
    put(&caller, "one", "kept", "x").await.expect("written");
    let (src, dest) = (ObjectId::new("one", "kept"), ObjectId::new("two", "kept"));
    caller.copy_object(src.clone(), dest.clone()).await.expect("it is there already");
    caller.move_object(src, dest).await.expect("it is there already");
    assert_eq!(get(&caller, "two", "kept").await.as_deref(), Ok("x"));
}

#[tokio::test]
async fn a_drained_provider_ends_the_uploads_under_way_and_begins_no_other() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c-1").await.expect("made");
    let (mut sender, body) = Body::channel();
    let upload = caller.write_data("c-1", "slow", body).await.expect("begun");
    let going_on = async {
        while put(&caller, "c-1", "late", "x").await.is_ok() {
            tokio::time::sleep(link::PAUSE).await;
        }
        let refused = put(&caller, "c-1", "late", "x").await.expect_err("it is draining");
        assert!(matches!(refused, Failure::Call(CallError { kind: ErrorKind::Overloaded, .. })));
        sender.send("the rest".into()).await.expect("it is taken");
        sender.finish(None);
        upload.finish().await.expect("it was under way");
    };
    tokio::join!(store.host.drain(), going_on);
}
