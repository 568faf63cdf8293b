//! Links, pipes and odd names that somebody else planted in the folder: none is followed, opened or listed.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
    process::Command,
};

use wattle_blobstore::{Caller, Failure, wire::ObjectId};

use super::{Store, crashes::until_nothing_is_staged, get, link::Link, put};

/// A file outside of the root, and all ways to it that a planted link could open.
const WAYS: [&str; 4] = ["link", "folder/link", "way/secret", "folder/way/secret"];

fn plant(root: &Path, outside: &Path) {
    fs::write(outside.join("secret"), "outside").expect("a file");
    fs::create_dir(root.join("c/folder")).expect("a folder");
    for place in ["c", "c/folder"] {
        symlink(outside.join("secret"), root.join(place).join("link")).expect("a link");
        symlink(outside, root.join(place).join("way")).expect("a link");
    }
    symlink(outside, root.join("linked")).expect("a link");
}

#[tokio::test]
async fn planted_links_are_never_followed() {
    let store = Store::start().await;
    let outside = tempfile::tempdir().expect("a folder");
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    put(&caller, "c", "mine", "mine").await.expect("written");
    plant(&store.root(), outside.path());

    for way in WAYS {
        assert_not_there(&caller, way).await;
        caller.delete_object("c", way).await.expect("nothing to delete");
        let id = |name| ObjectId::new("c", name);
        let refused = |answer| matches!(answer, Err(Failure::Store(_)));
        assert!(refused(caller.copy_object(id(way), id("stolen")).await), "{way}");
        assert!(refused(caller.move_object(id(way), id("stolen")).await), "{way}");
    }
    let listed = caller.list_objects("c", None, 100).await.expect("listed");
    assert_eq!(listed.names, ["mine"]);
    assert_eq!(fs::read_to_string(outside.path().join("secret")).expect("kept"), "outside");
    assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 1);
}

async fn assert_not_there(caller: &Caller<Link>, way: &str) {
    assert!(matches!(get(caller, "c", way).await, Err(Failure::Store(_))), "{way}");
    assert_eq!(caller.has_object("c", way).await, Ok(false), "{way}");
    assert!(caller.object_info("c", way).await.is_err(), "{way}");
}

#[tokio::test]
async fn writing_replaces_a_planted_link_and_not_what_it_leads_to() {
    let store = Store::start().await;
    let outside = tempfile::tempdir().expect("a folder");
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    plant(&store.root(), outside.path());
    put(&caller, "c", "link", "mine").await.expect("the link is in nobody's way");
    assert_eq!(get(&caller, "c", "link").await.as_deref(), Ok("mine"));
    for way in ["way/secret", "way/new"] {
        assert!(matches!(put(&caller, "c", way, "mine").await, Err(Failure::Store(_))), "{way}");
    }
    assert_eq!(fs::read_to_string(outside.path().join("secret")).expect("kept"), "outside");
    assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 1);
}

#[tokio::test]
async fn a_planted_link_is_no_container_and_deleting_one_stays_inside() {
    let store = Store::start().await;
    let outside = tempfile::tempdir().expect("a folder");
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    plant(&store.root(), outside.path());
    assert_eq!(caller.container_exists("linked").await, Ok(false));
    assert!(matches!(get(&caller, "linked", "secret").await, Err(Failure::Store(_))));
    assert!(caller.delete_container("linked").await.is_err());
    caller.delete_container("c").await.expect("deleted, with the links in it");
    assert!(!store.root().join("c").exists());
    let store = store.crash().await;
    let _sweeps = store.caller().await;
    assert_eq!(fs::read_to_string(outside.path().join("secret")).expect("kept"), "outside");
}

#[tokio::test]
async fn what_no_object_can_be_is_passed_over() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    put(&caller, "c", "mine", "mine").await.expect("written");
    let folder = store.root().join("c");
    let made = Command::new("mkfifo").arg(folder.join("pipe")).status().expect("mkfifo is there");
    assert!(made.success());
    fs::write(folder.join(std::ffi::OsStr::from_bytes(b"no\xfftext")), "x").expect("a file");
    fs::write(folder.join("back\\slash"), "x").expect("a file");
    let odd = folder.join(std::ffi::OsStr::from_bytes(b"no\xfffolder"));
    fs::create_dir(&odd).expect("a folder");
    fs::write(odd.join("within"), "x").expect("a file");
    assert_eq!(caller.list_objects("c", None, 100).await.expect("listed").names, ["mine"]);
    assert_not_there(&caller, "pipe").await;
    caller.clear("c").await.expect("cleared");
    caller.delete_container("c").await.expect("deleted, with all in it");
    assert!(!folder.exists());
    until_nothing_is_staged(&store).await;
}
