//! What a link's constraints keep from its caller.

use wattle_core::{Constraints, ErrorKind::Denied, link::Settings};

use super::{fails, get, listing::all, ok, put};
use crate::{ACCESS, CONTAINERS, Caller, Carry, PREFIX, READ, WRITE, wire::ObjectId};

const CONTAINER: &str = "conformance-scopes";
const OTHER: &str = "conformance-other";

pub(super) async fn run<C: Carry>(
    store: &Caller<C>,
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
) {
    for container in [CONTAINER, OTHER] {
        ok("create-container", store.create_container(container)).await;
        ok("write-data", put(store, container, "other/secret", "secret")).await;
    }
    let link = async |name: &str, values: &[&str]| {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        caller([(name.to_owned(), values)].into(), Settings::new()).await
    };
    only_objects_with_the_prefix_are_within_reach(&link(PREFIX, &["cart/"]).await).await;
    any_of_several_prefixes_will_do(&link(PREFIX, &["cart/a", "cart/b"]).await).await;
    no_cursor_tells_of_what_is_out_of_reach(&link(PREFIX, &["cart/c", "cart/a", "zoo"]).await)
        .await;
    no_prefix_is_no_object_within_reach(&link(PREFIX, &[]).await).await;
    clearing_clears_what_is_within_reach(store, &link(PREFIX, &["cart/"]).await).await;
    only_the_containers_named_are_within_reach(&link(CONTAINERS, &[CONTAINER]).await).await;
    a_reader_changes_nothing(&link(ACCESS, &[READ]).await).await;
    a_writer_sees_nothing(&link(ACCESS, &[WRITE]).await).await;
    nothing_named_is_nothing_within_reach(&link(CONTAINERS, &[]).await).await;
    nothing_named_is_nothing_within_reach(&link(ACCESS, &[]).await).await;
    for container in [CONTAINER, OTHER] {
        assert_eq!(ok("get-data", get(store, container, "other/secret")).await, "secret");
        ok("delete-container", store.delete_container(container)).await;
    }
}

async fn only_objects_with_the_prefix_are_within_reach<C: Carry>(store: &Caller<C>) {
    for name in ["cart/a1", "cart/b1", "cart/c1"] {
        ok("write-data", put(store, CONTAINER, name, "x")).await;
    }
    let mine = || ObjectId::new(CONTAINER, "cart/a1");
    for name in ["other/secret", "cart", "car", "cartoon/x"] {
        fails(Denied, name, get(store, CONTAINER, name)).await;
        fails(Denied, name, put(store, CONTAINER, name, "y")).await;
        fails(Denied, name, store.has_object(CONTAINER, name)).await;
        fails(Denied, name, store.object_info(CONTAINER, name)).await;
        fails(Denied, name, store.delete_object(CONTAINER, name)).await;
        fails(Denied, name, store.delete_objects(CONTAINER, &["cart/a1", name])).await;
        let theirs = || ObjectId::new(CONTAINER, name);
        fails(Denied, name, store.copy_object(mine(), theirs())).await;
        fails(Denied, name, store.copy_object(theirs(), mine())).await;
        fails(Denied, name, store.move_object(mine(), theirs())).await;
        fails(Denied, name, store.move_object(theirs(), mine())).await;
    }
    fails(Denied, "delete-container", store.delete_container(CONTAINER)).await;
    assert_eq!(ok("get-data", get(store, CONTAINER, "cart/a1")).await, "x");
    assert_eq!(all(store, CONTAINER, 2).await, ["cart/a1", "cart/b1", "cart/c1"]);
}

async fn any_of_several_prefixes_will_do<C: Carry>(store: &Caller<C>) {
    ok("get-data", get(store, CONTAINER, "cart/b1")).await;
    fails(Denied, "get-data", get(store, CONTAINER, "cart/c1")).await;
    assert_eq!(all(store, CONTAINER, 1).await, ["cart/a1", "cart/b1"]);
}

/// The page's last name may be one of its own, but neither the next one nor one between two prefixes.
async fn no_cursor_tells_of_what_is_out_of_reach<C: Carry>(store: &Caller<C>) {
    const PAGES_MAX: usize = 10;
    let (mut listed, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let asked = store.list_objects(CONTAINER, cursor.as_deref(), 1);
        let page = ok("list-objects", asked).await;
        listed.extend(page.names);
        cursor = page.cursor;
        let Some(cursor) = &cursor else { break };
        assert!(["cart/a1", "cart/c1"].contains(&&**cursor), "{cursor:?} is out of reach");
    }
    assert_eq!((&*listed, cursor), (&["cart/a1".to_owned(), "cart/c1".to_owned()][..], None));
    let all_at_once = ok("list-objects", store.list_objects(CONTAINER, None, 10)).await;
    assert_eq!((all_at_once.names, all_at_once.cursor), (listed, None));
}

async fn no_prefix_is_no_object_within_reach<C: Carry>(store: &Caller<C>) {
    let page = ok("list-objects", store.list_objects(CONTAINER, None, 10)).await;
    assert_eq!((page.names, page.cursor), (vec![], None));
    ok("clear", store.clear(CONTAINER)).await;
}

async fn clearing_clears_what_is_within_reach<C: Carry>(open: &Caller<C>, store: &Caller<C>) {
    ok("clear", store.clear(CONTAINER)).await;
    assert_eq!(all(open, CONTAINER, 10).await, ["other/secret"]);
}

async fn only_the_containers_named_are_within_reach<C: Carry>(store: &Caller<C>) {
    ok("get-container", store.get_container(CONTAINER)).await;
    ok("get-data", get(store, CONTAINER, "other/secret")).await;
    for container in [OTHER, "conformance-scope", "conformance-scopes2"] {
        fails(Denied, container, store.create_container(container)).await;
        fails(Denied, container, store.get_container(container)).await;
        fails(Denied, container, store.container_exists(container)).await;
        fails(Denied, container, store.info(container)).await;
        fails(Denied, container, store.delete_container(container)).await;
        fails(Denied, container, store.clear(container)).await;
        fails(Denied, container, store.list_objects(container, None, 1)).await;
        fails(Denied, container, get(store, container, "other/secret")).await;
        fails(Denied, container, put(store, container, "other/secret", "y")).await;
        fails(Denied, container, store.delete_objects::<&str>(container, &[])).await;
        let here = || ObjectId::new(CONTAINER, "other/secret");
        let there = || ObjectId::new(container, "other/secret");
        fails(Denied, container, store.copy_object(here(), there())).await;
        fails(Denied, container, store.move_object(there(), here())).await;
    }
}

async fn a_reader_changes_nothing<C: Carry>(store: &Caller<C>) {
    assert_eq!(ok("get-data", get(store, CONTAINER, "other/secret")).await, "secret");
    assert_eq!(all(store, CONTAINER, 10).await, ["other/secret"]);
    fails(Denied, "create-container", store.create_container("conformance-new")).await;
    fails(Denied, "delete-container", store.delete_container(CONTAINER)).await;
    fails(Denied, "clear", store.clear(CONTAINER)).await;
    fails(Denied, "write-data", put(store, CONTAINER, "other/secret", "y")).await;
    fails(Denied, "delete-object", store.delete_object(CONTAINER, "other/secret")).await;
    let (src, dest) = (ObjectId::new(CONTAINER, "other/secret"), ObjectId::new(CONTAINER, "copy"));
    fails(Denied, "copy-object", store.copy_object(src.clone(), dest.clone())).await;
    fails(Denied, "move-object", store.move_object(src, dest)).await;
}

async fn a_writer_sees_nothing<C: Carry>(store: &Caller<C>) {
    ok("write-data", put(store, CONTAINER, "dropped", "y")).await;
    fails(Denied, "get-data", get(store, CONTAINER, "dropped")).await;
    fails(Denied, "list-objects", store.list_objects(CONTAINER, None, 1)).await;
    fails(Denied, "has-object", store.has_object(CONTAINER, "dropped")).await;
    let (src, dest) = (ObjectId::new(CONTAINER, "other/secret"), ObjectId::new(CONTAINER, "copy"));
    fails(Denied, "copy-object", store.copy_object(src.clone(), dest.clone())).await;
    fails(Denied, "move-object", store.move_object(src, dest)).await;
    ok("delete-object", store.delete_object(CONTAINER, "dropped")).await;
}

async fn nothing_named_is_nothing_within_reach<C: Carry>(store: &Caller<C>) {
    fails(Denied, "get-container", store.get_container(CONTAINER)).await;
    fails(Denied, "get-data", get(store, CONTAINER, "other/secret")).await;
    fails(Denied, "write-data", put(store, CONTAINER, "new", "x")).await;
}
