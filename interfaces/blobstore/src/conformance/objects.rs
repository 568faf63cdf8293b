//! One object at a time.

use super::{fails, get, ok, part, pattern::Pattern, put, refused};
use crate::{Caller, Carry};
use wattle_core::ErrorKind;

const CONTAINER: &str = "conformance-objects";

pub(super) async fn run<C: Carry>(store: &Caller<C>) {
    ok("create-container", store.create_container(CONTAINER)).await;
    an_object_is_not_there_until_it_is_written(store).await;
    what_was_written_is_read_back_byte_for_byte(store).await;
    a_later_object_replaces_the_earlier(store).await;
    a_range_has_both_its_ends(store).await;
    an_empty_object_is_one(store).await;
    what_is_known_of_an_object_is_right(store).await;
    a_deleted_object_is_gone(store).await;
    several_are_deleted_as_far_as_they_are_there(store).await;
    ok("delete-container", store.delete_container(CONTAINER)).await;
}

async fn an_object_is_not_there_until_it_is_written<C: Carry>(store: &Caller<C>) {
    assert!(!ok("has-object", store.has_object(CONTAINER, "nothing")).await);
    refused("get-data", get(store, CONTAINER, "nothing")).await;
    refused("get-data of a part", part(store, CONTAINER, "nothing", 3, 5)).await;
    refused("object-info", store.object_info(CONTAINER, "nothing")).await;
    ok("delete-object", store.delete_object(CONTAINER, "nothing")).await;
}

async fn what_was_written_is_read_back_byte_for_byte<C: Carry>(store: &Caller<C>) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let long = Pattern::new(1).take(300_000);
    for (name, data) in [("every-byte", every_byte), ("folder/long", long)] {
        ok("write-data", put(store, CONTAINER, name, data.clone())).await;
        assert!(ok("get-data", get(store, CONTAINER, name)).await == data, "{name}");
        assert!(ok("has-object", store.has_object(CONTAINER, name)).await);
    }
}

async fn a_later_object_replaces_the_earlier<C: Carry>(store: &Caller<C>) {
    for data in ["first, which is longer", "second", ""] {
        ok("write-data", put(store, CONTAINER, "replaced", data)).await;
        assert_eq!(ok("get-data", get(store, CONTAINER, "replaced")).await, data);
    }
}

async fn a_range_has_both_its_ends<C: Carry>(store: &Caller<C>) {
    ok("write-data", put(store, CONTAINER, "digits", "0123456789")).await;
    for (start, end, found) in [
        (0, 0, "0"),
        (2, 4, "234"),
        (9, 9, "9"),
        (0, 9, "0123456789"),
        (7, 100, "789"),
        (5, u64::MAX, "56789"),
        (10, 20, ""),
        (1 << 40, u64::MAX, ""),
    ] {
        let data = ok("get-data", part(store, CONTAINER, "digits", start, end)).await;
        assert_eq!(data, found, "{start} to {end}");
    }
    fails(ErrorKind::Malformed, "5 to 4", part(store, CONTAINER, "digits", 5, 4)).await;
    let long = Pattern::new(2).take(1_000_000);
    ok("write-data", put(store, CONTAINER, "long", long.clone())).await;
    let data = ok("get-data", part(store, CONTAINER, "long", 123_456, 765_432)).await;
    assert!(data == long[123_456..=765_432]);
}

async fn an_empty_object_is_one<C: Carry>(store: &Caller<C>) {
    ok("write-data", put(store, CONTAINER, "empty", "")).await;
    assert!(ok("has-object", store.has_object(CONTAINER, "empty")).await);
    assert_eq!(ok("object-info", store.object_info(CONTAINER, "empty")).await.size, 0);
    for (start, end) in [(0, u64::MAX), (0, 0), (5, 9)] {
        assert_eq!(ok("get-data", part(store, CONTAINER, "empty", start, end)).await, "");
    }
}

async fn what_is_known_of_an_object_is_right<C: Carry>(store: &Caller<C>) {
    ok("write-data", put(store, CONTAINER, "known/well", "12345")).await;
    let info = ok("object-info", store.object_info(CONTAINER, "known/well")).await;
    assert_eq!((&*info.name, &*info.container, info.size), ("known/well", CONTAINER, 5));
    assert!(info.created_at > 1_600_000_000, "seconds since 1970: {}", info.created_at);
    assert!(info.created_at < 100_000_000_000, "seconds since 1970: {}", info.created_at);
}

async fn a_deleted_object_is_gone<C: Carry>(store: &Caller<C>) {
    ok("write-data", put(store, CONTAINER, "gone", "x")).await;
    ok("delete-object", store.delete_object(CONTAINER, "gone")).await;
    assert!(!ok("has-object", store.has_object(CONTAINER, "gone")).await);
    refused("get-data", get(store, CONTAINER, "gone")).await;
    ok("write-data", put(store, CONTAINER, "gone", "y")).await;
    assert_eq!(ok("get-data", get(store, CONTAINER, "gone")).await, "y");
}

async fn several_are_deleted_as_far_as_they_are_there<C: Carry>(store: &Caller<C>) {
    for name in ["many/a", "many/b", "many/stays"] {
        ok("write-data", put(store, CONTAINER, name, "x")).await;
    }
    let names = ["many/a", "many/nothing", "many/b", "nowhere/at/all"];
    ok("delete-objects", store.delete_objects(CONTAINER, &names)).await;
    ok("delete-objects of none", store.delete_objects::<&str>(CONTAINER, &[])).await;
    for (name, there) in [("many/a", false), ("many/b", false), ("many/stays", true)] {
        assert_eq!(ok("has-object", store.has_object(CONTAINER, name)).await, there, "{name}");
    }
}
