//! Containers come, are seen, and go with all that is in them.

use super::{fails, get, ok, put, refused};
use crate::{Caller, Carry};
use wattle_core::ErrorKind;

const CONTAINER: &str = "conformance-containers";

pub(super) async fn run<C: Carry>(store: &Caller<C>) {
    a_container_is_not_there_until_it_is_made(store).await;
    a_container_is_made_once(store).await;
    a_deleted_container_takes_its_objects_with_it(store).await;
    a_cleared_container_is_there_and_empty(store).await;
    containers_do_not_see_each_other(store).await;
    names_of_no_container_are_refused(store).await;
}

async fn a_container_is_not_there_until_it_is_made<C: Carry>(store: &Caller<C>) {
    assert!(!ok("container-exists", store.container_exists(CONTAINER)).await);
    refused("get-container", store.get_container(CONTAINER)).await;
    refused("info", store.info(CONTAINER)).await;
    refused("get-data", get(store, CONTAINER, "a")).await;
    refused("write-data", put(store, CONTAINER, "a", "x")).await;
    refused("list-objects", store.list_objects(CONTAINER, None, 10)).await;
    refused("has-object", store.has_object(CONTAINER, "a")).await;
    refused("object-info", store.object_info(CONTAINER, "a")).await;
    refused("delete-object", store.delete_object(CONTAINER, "a")).await;
    refused("clear", store.clear(CONTAINER)).await;
    refused("delete-container", store.delete_container(CONTAINER)).await;
    assert!(!ok("container-exists", store.container_exists(CONTAINER)).await);
}

async fn a_container_is_made_once<C: Carry>(store: &Caller<C>) {
    ok("create-container", store.create_container(CONTAINER)).await;
    assert!(ok("container-exists", store.container_exists(CONTAINER)).await);
    ok("get-container", store.get_container(CONTAINER)).await;
    assert_eq!(ok("info", store.info(CONTAINER)).await.name, CONTAINER);
    refused("a second create-container", store.create_container(CONTAINER)).await;
}

async fn a_deleted_container_takes_its_objects_with_it<C: Carry>(store: &Caller<C>) {
    for name in ["a", "b/c", "b/d/e"] {
        ok("write-data", put(store, CONTAINER, name, "x")).await;
    }
    ok("delete-container", store.delete_container(CONTAINER)).await;
    assert!(!ok("container-exists", store.container_exists(CONTAINER)).await);
    ok("create-container", store.create_container(CONTAINER)).await;
    assert!(!ok("has-object", store.has_object(CONTAINER, "b/c")).await);
    let page = ok("list-objects", store.list_objects(CONTAINER, None, 10)).await;
    assert!(page.names.is_empty(), "{:?}", page.names);
}

async fn a_cleared_container_is_there_and_empty<C: Carry>(store: &Caller<C>) {
    for name in ["a", "b/c", "b/d/e"] {
        ok("write-data", put(store, CONTAINER, name, "x")).await;
    }
    ok("clear", store.clear(CONTAINER)).await;
    ok("clear of nothing", store.clear(CONTAINER)).await;
    let page = ok("list-objects", store.list_objects(CONTAINER, None, 10)).await;
    assert!(page.names.is_empty() && page.cursor.is_none(), "{page:?}");
    ok("get-container", store.get_container(CONTAINER)).await;
}

async fn containers_do_not_see_each_other<C: Carry>(store: &Caller<C>) {
    for (container, text) in [("conformance-one", "1"), ("conformance-two", "2")] {
        ok("create-container", store.create_container(container)).await;
        ok("write-data", put(store, container, "same", text)).await;
    }
    ok("delete-object", store.delete_object("conformance-one", "same")).await;
    assert_eq!(ok("get-data", get(store, "conformance-two", "same")).await, "2");
    for container in ["conformance-one", "conformance-two", CONTAINER] {
        ok("delete-container", store.delete_container(container)).await;
    }
}

async fn names_of_no_container_are_refused<C: Carry>(store: &Caller<C>) {
    for name in ["", ".", "..", ".hidden", "../up", "a/b", "/etc", "a\\b", "a\0b", "a\nb"] {
        fails(ErrorKind::Malformed, name, store.create_container(name)).await;
        fails(ErrorKind::Malformed, name, store.get_container(name)).await;
        fails(ErrorKind::Malformed, name, store.delete_container(name)).await;
    }
    let long = "l".repeat(64);
    fails(ErrorKind::TooLarge, "a long name", store.create_container(&long)).await;
}
