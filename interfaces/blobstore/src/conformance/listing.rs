//! Names, page by page.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};

use super::{ok, put};
use crate::{Caller, Carry, limit::PAGE_NAMES_MAX};

const CONTAINER: &str = "conformance-listing";

/// More than a page, in folders and beside them.
const OBJECTS: usize = PAGE_NAMES_MAX + 203;

/// Objects that are written at once.
const AT_ONCE: usize = 32;

pub(super) async fn run<C: Carry>(store: &Caller<C>) {
    ok("create-container", store.create_container(CONTAINER)).await;
    names_come_in_the_order_of_their_bytes(store).await;
    every_name_is_on_one_of_several_pages(store).await;
    names_that_go_meanwhile_hide_no_others(store).await;
    many_are_deleted_at_once(store).await;
    ok("delete-container", store.delete_container(CONTAINER)).await;
}

/// A folder's slash has its place among the other characters: `a-` and `a.` come on either side of `a/`.
async fn names_come_in_the_order_of_their_bytes<C: Carry>(store: &Caller<C>) {
    let names = ["a-b", "a.b", "a/b/c", "a/b0", "a/c", "a0", "b", "ä"];
    for name in names.iter().rev() {
        ok("write-data", put(store, CONTAINER, name, "x")).await;
    }
    for limit in [1, 2, 3, 100] {
        assert_eq!(all(store, CONTAINER, limit).await, names, "{limit} on each page");
    }
    ok("delete-objects", store.delete_objects(CONTAINER, &names)).await;
    assert!(all(store, CONTAINER, 10).await.is_empty());
}

async fn every_name_is_on_one_of_several_pages<C: Carry>(store: &Caller<C>) {
    let names = expected();
    stream::iter(&names)
        .for_each_concurrent(AT_ONCE, |name| async {
            ok("write-data", put(store, CONTAINER, name, "x")).await;
        })
        .await;
    let names: Vec<String> = names.into_iter().collect();
    assert!(all(store, CONTAINER, u32::MAX).await == names);
    assert!(all(store, CONTAINER, 400).await == names);
}

fn expected() -> BTreeSet<String> {
    let name = |n: usize| match n % 3 {
        0 => format!("folder-{}/stays-{n}", n % 7),
        1 => format!("goes-{n}"),
        _ => format!("stays-{n}"),
    };
    (0..OBJECTS).map(name).collect()
}

async fn names_that_go_meanwhile_hide_no_others<C: Carry>(store: &Caller<C>) {
    let first = ok("list-objects", store.list_objects(CONTAINER, None, 300)).await;
    assert_eq!(first.names.len(), 300);
    let (going, staying): (Vec<_>, Vec<_>) =
        expected().into_iter().partition(|name| name.starts_with("goes"));
    let on_first = &first.names[..100];
    ok("delete-objects", store.delete_objects(CONTAINER, &going)).await;
    ok("delete-objects", store.delete_objects(CONTAINER, on_first)).await;
    let mut listed = first.names.clone();
    listed.extend(rest(store, CONTAINER, first.cursor, 300).await);
    let listed: BTreeSet<String> = listed.into_iter().collect();
    let missing: Vec<_> = staying.iter().filter(|name| !listed.contains(*name)).collect();
    assert!(missing.is_empty(), "not listed: {missing:?}");
}

async fn many_are_deleted_at_once<C: Carry>(store: &Caller<C>) {
    let names: Vec<String> = expected().into_iter().collect();
    ok("delete-objects", store.delete_objects(CONTAINER, &names)).await;
    assert!(all(store, CONTAINER, 100).await.is_empty());
}

/// All names of a container, in the order in which they come.
pub(super) async fn all<C: Carry>(store: &Caller<C>, container: &str, limit: u32) -> Vec<String> {
    let first = ok("list-objects", store.list_objects(container, None, limit)).await;
    let mut names = first.names;
    names.extend(rest(store, container, first.cursor, limit).await);
    names
}

async fn rest<C: Carry>(
    store: &Caller<C>,
    container: &str,
    mut cursor: Option<String>,
    limit: u32,
) -> Vec<String> {
    const PAGES_MAX: usize = 10_000; // beyond it, the listing goes round in circles
    let mut names = Vec::new();
    for _ in 0..PAGES_MAX {
        let Some(_) = cursor else { return names };
        let asked = store.list_objects(container, cursor.as_deref(), limit);
        let page = ok("list-objects", asked).await;
        let len_max = PAGE_NAMES_MAX.min(limit as usize);
        assert!(page.names.len() <= len_max, "a page of {} names", page.names.len());
        names.extend(page.names);
        cursor = page.cursor;
    }
    panic!("the listing does not end");
}
