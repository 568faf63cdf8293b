//! Keys, page by page.

use std::collections::BTreeSet;

use wattle_core::call::Call;

use super::ok;
use crate::{Caller, limit::PAGE_KEYS_MAX};

const BUCKET: &str = "conformance-listing";

pub(super) async fn run<C: Call>(store: &Caller<C>) {
    an_empty_bucket_has_no_keys(store).await;
    every_key_is_listed_over_several_pages(store).await;
    keys_that_go_meanwhile_hide_no_others(store).await;
}

async fn an_empty_bucket_has_no_keys<C: Call>(store: &Caller<C>) {
    assert_eq!(all_keys(store, "conformance-empty").await, BTreeSet::new());
}

async fn every_key_is_listed_over_several_pages<C: Call>(store: &Caller<C>) {
    let keys: BTreeSet<String> =
        (0..2 * PAGE_KEYS_MAX + 1).map(|n| format!("[key]*?\\{n}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key, "x")).collect();
    ok("set-many", store.set_many(BUCKET, &entries)).await;
    assert!(all_keys(store, BUCKET).await == keys);
    let keys: Vec<_> = keys.into_iter().collect();
    ok("delete-many", store.delete_many(BUCKET, &keys)).await;
    assert_eq!(all_keys(store, BUCKET).await, BTreeSet::new());
}

async fn keys_that_go_meanwhile_hide_no_others<C: Call>(store: &Caller<C>) {
    let name = |n: usize| format!("{}-{n}", if n.is_multiple_of(2) { "stays" } else { "goes" });
    let entries: Vec<_> = (0..2 * PAGE_KEYS_MAX).map(|n| (name(n), "x")).collect();
    ok("set-many", store.set_many(BUCKET, &entries)).await;
    let first = ok("list-keys", store.list_keys(BUCKET, None)).await;
    let going: Vec<_> = entries.iter().map(|(key, _)| key).filter(|k| k.starts_with('g')).collect();
    ok("delete-many", store.delete_many(BUCKET, &going)).await;
    let mut listed: BTreeSet<String> = first.keys.into_iter().collect();
    listed.extend(rest_of_keys(store, BUCKET, first.cursor).await);
    let staying = (0..2 * PAGE_KEYS_MAX).step_by(2).map(name);
    let missing: Vec<_> = staying.filter(|key| !listed.contains(key)).collect();
    assert!(missing.is_empty(), "not listed: {missing:?}");
}

/// All keys of a bucket: pages may repeat a key.
pub(super) async fn all_keys<C: Call>(store: &Caller<C>, bucket: &str) -> BTreeSet<String> {
    let first = ok("list-keys", store.list_keys(bucket, None)).await;
    let mut keys: BTreeSet<String> = first.keys.into_iter().collect();
    keys.extend(rest_of_keys(store, bucket, first.cursor).await);
    keys
}

async fn rest_of_keys<C: Call>(
    store: &Caller<C>,
    bucket: &str,
    mut cursor: Option<u64>,
) -> Vec<String> {
    const PAGES_MAX: usize = 10_000; // beyond it, the listing goes round in circles
    let mut keys = Vec::new();
    for _ in 0..PAGES_MAX {
        let Some(_) = cursor else { return keys };
        let page = ok("list-keys", store.list_keys(bucket, cursor)).await;
        assert!(page.keys.len() <= PAGE_KEYS_MAX, "a page of {} keys", page.keys.len());
        keys.extend(page.keys);
        cursor = page.cursor;
    }
    panic!("the listing does not end");
}
