//! Folders that are left without an object: they are in nobody's way, and none is left by what fails.

use std::{fs, path::Path};

use wattle_blobstore::{Failure, wire::ObjectId};
use wattle_sdk::Body;

use super::{Store, files, get, put};

fn make(container: &Path, folders: &[&str]) {
    folders.iter().for_each(|path| fs::create_dir_all(container.join(path)).expect("folders"));
}

/// As a process leaves them that dies between a folder and its object.
#[tokio::test]
async fn empty_folders_are_in_no_object_s_way() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    let container = store.root().join("c");
    make(&container, &["a/b", "a/d/e", "copy/b", "in/moved/b"]);
    put(&caller, "c", "a", "x").await.expect("written");
    let id = |name| ObjectId::new("c", name);
    caller.copy_object(id("a"), id("copy")).await.expect("copied");
    caller.move_object(id("a"), id("in/moved")).await.expect("moved");
    assert_eq!(get(&caller, "c", "copy").await.as_deref(), Ok("x"));
    let listed = caller.list_objects("c", None, 10).await.expect("listed");
    assert_eq!(listed.names, ["copy", "in/moved"]);
}

#[tokio::test]
async fn a_folder_made_while_an_object_is_written_is_not_in_its_way() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    let (sender, body) = Body::channel();
    let upload = caller.write_data("c", "f/a", body).await.expect("begun");
    make(&store.root().join("c"), &["f/a/b"]);
    sender.finish(None);
    upload.finish().await.expect("written");
    assert_eq!(caller.has_object("c", "f/a").await, Ok(true));
}

#[tokio::test]
async fn whatever_else_lies_in_folders_stays_and_keeps_their_names() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    let container = store.root().join("c");
    make(&container, &["a/b/c", "a/b/d"]);
    std::os::unix::fs::symlink("/nowhere", container.join("a/b/d/link")).expect("a link");
    make(&container, &["deep"]);
    make(&container.join("deep"), &["d/".repeat(40).as_str()]);
    for name in ["a", "a/b", "deep"] {
        assert!(matches!(put(&caller, "c", name, "x").await, Err(Failure::Store(_))), "{name}");
    }
    assert!(container.join("a/b/d/link").is_symlink());
    put(&caller, "c", "a/b/c", "x").await.expect("there is nothing in that");
}

#[tokio::test]
async fn an_object_that_cannot_be_put_into_its_place_leaves_no_folders() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    put(&caller, "c", "a/kept", "x").await.expect("written");
    let (sender, body) = Body::channel();
    let upload = caller.write_data("c", "a/b/c/d", body).await.expect("begun");
    for staged in files(&store.root().join(".wattle")) {
        fs::remove_file(staged).expect("a file");
    }
    sender.finish(None);
    assert!(matches!(upload.finish().await, Err(Failure::Call(_))), "its bytes are gone");
    let left = fs::read_dir(store.root().join("c/a")).expect("a folder");
    let left: Vec<_> = left.map(|entry| entry.expect("read").file_name()).collect();
    assert_eq!(left, ["kept"]);
}

/// Each of these names is the folder of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_in_each_other_s_way_are_refused_or_lose_nothing() {
    const ROUNDS: usize = 100;
    let store = Store::start().await;
    let caller = &store.caller().await;
    caller.create_container("c").await.expect("made");
    let work = |name: &'static str| async move {
        for _ in 0..ROUNDS {
            match put(caller, "c", name, name).await {
                Ok(()) => assert_eq!(get(caller, "c", name).await.as_deref(), Ok(name)),
                Err(Failure::Store(_)) => {}
                Err(other) => panic!("{name}: {other}"),
            }
            caller.delete_object("c", name).await.expect("deleted");
        }
    };
    tokio::join!(work("f/g/h"), work("f/g"), work("f"), work("f/i"));
    assert_eq!(fs::read_dir(store.root().join("c")).expect("a folder").count(), 0);
}
