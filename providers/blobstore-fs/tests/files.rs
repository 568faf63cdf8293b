//! The provider's process against a real file system: the contract, and what attackers and crashes leave.

#[path = "files/attacks.rs"]
mod attacks;
#[path = "files/crashes.rs"]
mod crashes;
#[path = "files/folders.rs"]
mod folders;
#[path = "files/link.rs"]
mod link;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use link::Link;
use tempfile::TempDir;
use wattle_blobstore::{
    Caller, Failure,
    conformance::{self, pattern::Pattern},
    limit::{CONTAINER_LEN_MAX, OBJECT_LEN_MAX},
    wire::ObjectId,
};
use wattle_core::{CallError, Constraints, ErrorKind, link::Settings};
use wattle_sdk::{
    Body,
    test_host::{Launch, TestHost},
};

/// A gigabyte.
const LONG: u64 = 1 << 30;

/// More than is copied in one step, and copied in time on a slow disk.
const COPIED: u64 = 64 << 20;

/// What a provider may take for itself while a gigabyte passes through it: its code, stacks and windows.
const MEMORY_MAX: u64 = 64 * 1024 * 1024;

/// A provider with a folder, which goes with this.
struct Store {
    host: TestHost,
    dir: TempDir,
}

impl Store {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let host = start(dir.path()).await;
        Self { host, dir }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("blobs")
    }

    async fn caller(&self) -> Caller<Link> {
        link::caller(&self.host, Constraints::new(), Settings::new()).await
    }

    /// Kills the process and starts another over the same folder.
    async fn crash(mut self) -> Self {
        self.host.kill().await;
        let host = start(self.dir.path()).await;
        Self { host, ..self }
    }
}

/// The provider, with its files in this folder.
async fn start(dir: &Path) -> TestHost {
    TestHost::start(Launch::new(env!("CARGO_BIN_EXE_wattle-blobstore-fs")).data_dir(dir)).await
}

async fn put(store: &Caller<Link>, container: &str, name: &str, text: &str) -> Result<(), Failure> {
    store.write_data(container, name, Body::full(text.to_owned())).await?.finish().await
}

async fn get(store: &Caller<Link>, container: &str, name: &str) -> Result<String, Failure> {
    let mut download = store.get_data(container, name, 0, u64::MAX).await?;
    let data = download.body.collect(1 << 20).await?;
    Ok(String::from_utf8(data.into()).expect("text"))
}

/// Everything below a folder, but the folders themselves. What goes away meanwhile is not there.
fn files(below: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(below) else { return Vec::new() };
    let entries = entries.filter_map(Result::ok).filter_map(|entry| {
        let kind = entry.file_type().ok()?;
        Some(if kind.is_dir() { files(&entry.path()) } else { vec![entry.path()] })
    });
    entries.flatten().collect()
}

#[tokio::test]
async fn blobstore_fs_keeps_wasi_blobstore() {
    let store = Store::start().await;
    let caller =
        async |constraints, settings| link::caller(&store.host, constraints, settings).await;
    conformance::run(caller).await;
    crashes::until_nothing_is_staged(&store).await;
    assert_eq!(files(&store.root()), Vec::<PathBuf>::new(), "no debris");
}

#[tokio::test]
async fn a_gigabyte_passes_through_constant_memory() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    let upload = caller.write_data("c", "long", Pattern::new(9).body(LONG)).await;
    upload.expect("begun").finish().await.expect("written");
    let mut download = caller.get_data("c", "long", 0, u64::MAX).await.expect("it is there");
    assert_eq!(download.size, LONG);
    assert_eq!(Pattern::new(9).check(&mut download.body).await, Ok(LONG));
    caller.delete_object("c", "long").await.expect("deleted");
    let upload = caller.write_data("c", "copied", Pattern::new(8).body(COPIED)).await;
    upload.expect("begun").finish().await.expect("written");
    let copy = ObjectId::new("c", "copy");
    caller.copy_object(ObjectId::new("c", "copied"), copy).await.expect("copied in time");
    let mut download = caller.get_data("c", "copy", 0, u64::MAX).await.expect("it is there");
    assert_eq!(Pattern::new(8).check(&mut download.body).await, Ok(COPIED));
    let memory = store.host.peak_memory();
    assert!(memory < MEMORY_MAX, "{memory} bytes");
}

#[tokio::test]
async fn links_that_come_and_go_leave_no_open_files() {
    let store = Store::start().await;
    let before = store.host.open_files();
    let dir = tempfile::tempdir().expect("a folder");
    for round in 0..100 {
        let root = dir.path().join((round % 3).to_string());
        let root = root.to_str().expect("a folder's name is text").to_owned();
        let settings = Settings::from([("root".to_owned(), root)]);
        let (link, caller) =
            link::put_link(&store.host, Constraints::new(), settings).await.expect("a link");
        let container = format!("c{round}");
        caller.create_container(&container).await.expect("made");
        put(&caller, &container, "a/b", "x").await.expect("written");
        assert_eq!(get(&caller, &container, "a/b").await.as_deref(), Ok("x"));
        store.host.delete(link).await;
        let gone = get(&caller, &container, "a/b").await;
        assert!(matches!(gone, Err(Failure::Call(CallError { kind: ErrorKind::Denied, .. }))));
    }
    // The last link's files close on a thread of their own.
    let closed = async {
        while store.host.open_files() > before {
            tokio::time::sleep(link::PAUSE).await;
        }
    };
    tokio::time::timeout(link::CLOSED_WITHIN, closed).await.expect("all are closed");
}

#[tokio::test]
async fn a_link_that_cannot_hold_says_why() {
    let store = Store::start().await;
    let setting = |name: &str, value: &str| Settings::from([(name.to_owned(), value.to_owned())]);
    let unknown = Constraints::from([("tables".to_owned(), vec![])]);
    let refused = [
        (unknown, Settings::new(), "tables"),
        (Constraints::new(), setting("root", "not/absolute"), "not/absolute"),
        (Constraints::new(), setting("max_object_bytes", "many"), "max_object_bytes"),
        (Constraints::new(), setting("root", "/proc/nothing"), "/proc/nothing"),
        (Constraints::new(), setting("ROOT", "/dev/null"), "/dev/null"),
    ];
    for (constraints, settings, named) in refused {
        let reason = link::put_link(&store.host, constraints, settings).await.err().expect(named);
        assert!(reason.contains(named), "{reason}");
    }
}

#[tokio::test]
async fn an_object_is_no_folder_and_a_folder_no_object() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    put(&caller, "c", "a/b", "x").await.expect("written");
    let clash = |answer: Result<(), Failure>| matches!(answer, Err(Failure::Store(_)));
    assert!(clash(put(&caller, "c", "a", "y").await), "a is a folder");
    assert!(clash(put(&caller, "c", "a/b/c", "y").await), "a/b is an object");
    let id = |name| ObjectId::new("c", name);
    assert!(clash(caller.copy_object(id("a/b"), id("a")).await));
    assert!(clash(caller.move_object(id("a/b"), id("a/b/c")).await));
    assert_eq!(get(&caller, "c", "a/b").await.as_deref(), Ok("x"));
    assert_eq!(caller.has_object("c", "a").await, Ok(false));
    caller.delete_object("c", "a").await.expect("there is no such object");
    assert_eq!(caller.has_object("c", "a/b").await, Ok(true));
    caller.delete_object("c", "a/b").await.expect("deleted");
    put(&caller, "c", "a", "y").await.expect("the empty folder is gone");
    let deep = format!("{}z", "d/".repeat(200));
    let refused = put(&caller, "c", &deep, "x").await;
    assert!(matches!(refused, Err(Failure::Call(CallError { kind: ErrorKind::TooLarge, .. }))));
}

/// The suite leaves these out, because the S3 server of the tests keeps notes of its own in files named after the objects.
#[tokio::test]
async fn the_longest_names_are_names() {
    let store = Store::start().await;
    let caller = store.caller().await;
    let container = "c".repeat(CONTAINER_LEN_MAX);
    caller.create_container(&container).await.expect("made");
    let long = ["n", "m", "o", "p"].map(|letter| letter.repeat(255)).join("/");
    let deep = format!("{}z", "d/".repeat(32));
    for name in [&long, &deep] {
        assert!(name.len() < OBJECT_LEN_MAX);
        put(&caller, &container, name, "x").await.expect("written");
        assert_eq!(get(&caller, &container, name).await.as_deref(), Ok("x"));
    }
    let page = caller.list_objects(&container, None, 10).await.expect("listed");
    assert_eq!(page.names, [deep, long]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_and_deleters_of_one_folder_lose_nothing() {
    const ROUNDS: usize = 200;
    let store = Store::start().await;
    let caller = &store.caller().await;
    caller.create_container("c").await.expect("made");
    let work = |name: &'static str| async move {
        for _ in 0..ROUNDS {
            put(caller, "c", name, name).await.expect("written");
            assert_eq!(get(caller, "c", name).await.as_deref(), Ok(name));
            caller.delete_object("c", name).await.expect("deleted");
        }
    };
    tokio::join!(work("f/g/a"), work("f/g/b"), work("f/c"), work("f/h/d"));
    assert_eq!(caller.list_objects("c", None, 10).await.expect("listed").names, [""; 0]);
    let left = fs::read_dir(store.root().join("c")).expect("a folder").count();
    assert_eq!(left, 0, "empty folders go with their last object");
}

#[tokio::test]
async fn nobody_else_on_the_machine_reads_a_store() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    put(&caller, "c", "folder/object", "x").await.expect("written");
    for (path, mode) in [
        ("", 0o700),
        (".wattle", 0o700),
        ("c", 0o700),
        ("c/folder", 0o700),
        ("c/folder/object", 0o600),
    ] {
        let found = fs::metadata(store.root().join(path)).expect("it is there").permissions();
        assert_eq!(found.mode() & 0o777, mode, "{path}");
    }
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

#[tokio::test]
async fn a_folder_of_many_thousands_is_listed_in_pages() {
    const FILES: usize = 30_000;
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    let folder = store.root().join("c/many");
    fs::create_dir(&folder).expect("a folder");
    let name = |n: usize| format!("{n:05}-{}", "long-name-".repeat(20));
    (0..FILES).rev().for_each(|n| fs::write(folder.join(name(n)), "").expect("a file"));
    let before = store.host.peak_memory();
    let mut cursor = None;
    let mut listed = 0;
    loop {
        let page = caller.list_objects("c", cursor.as_deref(), 1_000).await.expect("listed");
        for found in page.names {
            assert_eq!(found, format!("many/{}", name(listed)));
            listed += 1;
        }
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, FILES);
    let more = store.host.peak_memory() - before;
    assert!(more < 4 * 1024 * 1024, "{more} bytes more: all names have six million");
}
