//! Several keys at a time.

use wattle_core::call::Call;

use super::{ok, too_large};
use crate::{
    Caller,
    limit::{BATCH_KEYS_MAX, VALUE_LEN_MAX},
};

const BUCKET: &str = "conformance-batch";

pub(super) async fn run<C: Call>(store: &Caller<C>) {
    many_are_set_found_in_order_and_deleted(store).await;
    of_a_key_that_comes_twice_the_later_value_stays(store).await;
    nothing_is_a_batch_too(store).await;
    a_batch_may_be_as_long_as_the_limit(store).await;
    values_past_one_message_are_refused(store).await;
}

async fn many_are_set_found_in_order_and_deleted<C: Call>(store: &Caller<C>) {
    ok("set-many", store.set_many(BUCKET, &[("a", "1"), ("b", ""), ("c", "3")])).await;
    let found = ok("get-many", store.get_many(BUCKET, &["c", "nothing", "b", "c"])).await;
    let c = Some(("c".to_owned(), b"3".to_vec()));
    assert_eq!(found, [c.clone(), None, Some(("b".to_owned(), vec![])), c]);
    ok("delete-many", store.delete_many(BUCKET, &["a", "nothing", "c"])).await;
    let found = ok("get-many", store.get_many(BUCKET, &["a", "b", "c"])).await;
    assert_eq!(found, [None, Some(("b".to_owned(), vec![])), None]);
}

async fn of_a_key_that_comes_twice_the_later_value_stays<C: Call>(store: &Caller<C>) {
    ok("set-many", store.set_many(BUCKET, &[("twice", "1"), ("twice", "2")])).await;
    assert_eq!(ok("get", store.get(BUCKET, "twice")).await.as_deref(), Some(&b"2"[..]));
}

async fn nothing_is_a_batch_too<C: Call>(store: &Caller<C>) {
    assert!(ok("get-many", store.get_many::<&str>(BUCKET, &[])).await.is_empty());
    ok("set-many", store.set_many::<&str, &str>(BUCKET, &[])).await;
    ok("delete-many", store.delete_many::<&str>(BUCKET, &[])).await;
}

async fn a_batch_may_be_as_long_as_the_limit<C: Call>(store: &Caller<C>) {
    let keys: Vec<String> = (0..BATCH_KEYS_MAX).map(|n| format!("many-{n}")).collect();
    let entries: Vec<_> = keys.iter().map(|key| (key, key)).collect();
    ok("set-many", store.set_many(BUCKET, &entries)).await;
    let found = ok("get-many", store.get_many(BUCKET, &keys)).await;
    let all_found = found.iter().zip(&keys).all(|(entry, key)| {
        entry.as_ref().is_some_and(|(k, value)| k == key && value == key.as_bytes())
    });
    assert!(all_found && found.len() == keys.len());
    ok("delete-many", store.delete_many(BUCKET, &keys)).await;
    let found = ok("get-many", store.get_many(BUCKET, &keys)).await;
    assert!(found.iter().all(Option::is_none));

    let one_more = vec!["key"; BATCH_KEYS_MAX + 1];
    too_large("a batch past its limit", store.get_many(BUCKET, &one_more)).await;
    too_large("a batch past its limit", store.delete_many(BUCKET, &one_more)).await;
}

/// A short question must not make the store read, or answer with, more than a message.
async fn values_past_one_message_are_refused<C: Call>(store: &Caller<C>) {
    ok("set", store.set(BUCKET, "big", &vec![1; VALUE_LEN_MAX])).await;
    let keys = vec!["big"; BATCH_KEYS_MAX];
    too_large("40 GB in one answer", store.get_many(BUCKET, &keys)).await;
    ok("delete", store.delete(BUCKET, "big")).await;
}
