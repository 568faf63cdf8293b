//! Objects that are copied and moved, within a container and across.

use super::{get, ok, pattern::Pattern, put, refused};
use crate::{Caller, Carry, wire::ObjectId};

const HERE: &str = "conformance-here";
const THERE: &str = "conformance-there";

pub(super) async fn run<C: Carry>(store: &Caller<C>) {
    for container in [HERE, THERE] {
        ok("create-container", store.create_container(container)).await;
    }
    a_copy_is_an_object_of_its_own(store, HERE).await;
    a_copy_is_an_object_of_its_own(store, THERE).await;
    a_moved_object_is_there_and_no_longer_here(store, HERE).await;
    a_moved_object_is_there_and_no_longer_here(store, THERE).await;
    what_was_there_is_replaced(store).await;
    onto_itself_changes_nothing(store).await;
    what_is_not_there_is_not_copied(store).await;
    for container in [HERE, THERE] {
        ok("delete-container", store.delete_container(container)).await;
    }
}

async fn a_copy_is_an_object_of_its_own<C: Carry>(store: &Caller<C>, to: &str) {
    let data = Pattern::new(3).take(200_000);
    ok("write-data", put(store, HERE, "folder/original", data.clone())).await;
    let (src, dest) = (ObjectId::new(HERE, "folder/original"), ObjectId::new(to, "new/copy"));
    ok("copy-object", store.copy_object(src, dest)).await;
    ok("delete-object", store.delete_object(HERE, "folder/original")).await;
    assert!(ok("get-data", get(store, to, "new/copy")).await == data);
    ok("delete-object", store.delete_object(to, "new/copy")).await;
}

async fn a_moved_object_is_there_and_no_longer_here<C: Carry>(store: &Caller<C>, to: &str) {
    let data = Pattern::new(4).take(200_000);
    ok("write-data", put(store, HERE, "deep/down/moved", data.clone())).await;
    let (src, dest) = (ObjectId::new(HERE, "deep/down/moved"), ObjectId::new(to, "new/place"));
    ok("move-object", store.move_object(src, dest)).await;
    assert!(!ok("has-object", store.has_object(HERE, "deep/down/moved")).await);
    assert!(ok("get-data", get(store, to, "new/place")).await == data);
    ok("delete-object", store.delete_object(to, "new/place")).await;
}

async fn what_was_there_is_replaced<C: Carry>(store: &Caller<C>) {
    for (name, data) in [("a", "from a"), ("b", "from b, longer")] {
        ok("write-data", put(store, HERE, name, data)).await;
    }
    ok("copy-object", store.copy_object(ObjectId::new(HERE, "a"), ObjectId::new(HERE, "b"))).await;
    assert_eq!(ok("get-data", get(store, HERE, "b")).await, "from a");
    ok("write-data", put(store, HERE, "c", "from c, longer")).await;
    ok("move-object", store.move_object(ObjectId::new(HERE, "c"), ObjectId::new(HERE, "a"))).await;
    assert_eq!(ok("get-data", get(store, HERE, "a")).await, "from c, longer");
    assert!(!ok("has-object", store.has_object(HERE, "c")).await);
}

async fn onto_itself_changes_nothing<C: Carry>(store: &Caller<C>) {
    ok("write-data", put(store, HERE, "same", "kept")).await;
    let same = || ObjectId::new(HERE, "same");
    ok("copy-object", store.copy_object(same(), same())).await;
    ok("move-object", store.move_object(same(), same())).await;
    assert_eq!(ok("get-data", get(store, HERE, "same")).await, "kept");
    let none = || ObjectId::new(HERE, "none");
    refused("copy-object", store.copy_object(none(), none())).await;
}

async fn what_is_not_there_is_not_copied<C: Carry>(store: &Caller<C>) {
    let missing = "conformance-missing";
    for src in [ObjectId::new(HERE, "none"), ObjectId::new(missing, "same")] {
        let dest = ObjectId::new(THERE, "copy");
        refused("copy-object", store.copy_object(src.clone(), dest.clone())).await;
        refused("move-object", store.move_object(src, dest)).await;
        assert!(!ok("has-object", store.has_object(THERE, "copy")).await);
    }
    let (src, dest) = (ObjectId::new(HERE, "same"), ObjectId::new(missing, "copy"));
    refused("copy-object", store.copy_object(src.clone(), dest.clone())).await;
    refused("move-object", store.move_object(src, dest)).await;
    assert_eq!(ok("get-data", get(store, HERE, "same")).await, "kept");
}
