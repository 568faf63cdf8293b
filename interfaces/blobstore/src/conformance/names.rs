//! What objects can be called, and what leads nowhere.

use super::{fails, get, ok, put};
use crate::{Caller, Carry, wire::ObjectId};
use wattle_core::ErrorKind;

const CONTAINER: &str = "conformance-names";

pub(super) async fn run<C: Carry>(store: &Caller<C>) {
    ok("create-container", store.create_container(CONTAINER)).await;
    odd_names_are_names(store).await;
    names_that_lead_elsewhere_are_refused(store).await;
    ok("delete-container", store.delete_container(CONTAINER)).await;
}

async fn odd_names_are_names<C: Carry>(store: &Caller<C>) {
    let mut odd = [
        "with space",
        " around ",
        "ümläut/日本語.txt",
        "plus+and&equals=percent%41?question#hash",
        "%2e%2e/escaped",
        "'quoted'\"twice\"",
        "<xml>&amp;</xml>",
        "$(echo);`x`|*~^[]{}",
        "...",
        ".dot/.file",
        "C:drive",
    ];
    odd.sort_unstable();
    for name in &odd {
        ok(name, put(store, CONTAINER, name, name.to_string())).await;
    }
    for name in &odd {
        assert_eq!(ok(name, get(store, CONTAINER, name)).await, name.as_bytes());
        assert_eq!(ok(name, store.object_info(CONTAINER, name)).await.name, *name);
    }
    let page = ok("list-objects", store.list_objects(CONTAINER, None, 100)).await;
    assert_eq!(page.names, odd);
    let copied = ObjectId::new(CONTAINER, "copy of +odd %names");
    ok("copy-object", store.copy_object(ObjectId::new(CONTAINER, odd[0]), copied)).await;
    ok("delete-objects", store.delete_objects(CONTAINER, &odd)).await;
    let page = ok("list-objects", store.list_objects(CONTAINER, None, 100)).await;
    assert_eq!(page.names, ["copy of +odd %names"]);
}

async fn names_that_lead_elsewhere_are_refused<C: Carry>(store: &Caller<C>) {
    for name in [
        "",
        ".",
        "..",
        "../up",
        "a/../../up",
        "a/..",
        "./a",
        "/etc/passwd",
        "a//b",
        "a/",
        "a\\b",
        "..\\up",
        "a\0b",
        "a\nb",
        "\u{7f}",
    ] {
        let malformed = ErrorKind::Malformed;
        fails(malformed, name, put(store, CONTAINER, name, "x")).await;
        fails(malformed, name, get(store, CONTAINER, name)).await;
        fails(malformed, name, store.has_object(CONTAINER, name)).await;
        fails(malformed, name, store.object_info(CONTAINER, name)).await;
        fails(malformed, name, store.delete_object(CONTAINER, name)).await;
        fails(malformed, name, store.delete_objects(CONTAINER, &["fine", name])).await;
        let (fine, bad) = (ObjectId::new(CONTAINER, "fine"), ObjectId::new(CONTAINER, name));
        fails(malformed, name, store.copy_object(fine.clone(), bad.clone())).await;
        fails(malformed, name, store.move_object(bad, fine)).await;
    }
    let long = "l/".repeat(600) + "l";
    fails(ErrorKind::TooLarge, "a long name", put(store, CONTAINER, &long, "x")).await;
}
