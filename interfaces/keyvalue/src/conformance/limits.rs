//! What is past its limit is refused, and the store goes on.

use wattle_core::call::Call;

use super::{ok, refused, too_large};
use crate::{
    Caller,
    limit::{BUCKET_LEN_MAX, KEY_LEN_MAX, VALUE_LEN_MAX},
};

const BUCKET: &str = "conformance-limits";

pub(super) async fn run<C: Call>(store: &Caller<C>) {
    a_key_may_be_as_long_as_the_limit(store).await;
    what_is_past_its_limit_is_refused(store).await;
}

async fn a_key_may_be_as_long_as_the_limit<C: Call>(store: &Caller<C>) {
    let key = "k".repeat(KEY_LEN_MAX);
    ok("set", store.set(BUCKET, &key, b"x")).await;
    assert_eq!(ok("get", store.get(BUCKET, &key)).await.as_deref(), Some(&b"x"[..]));
    ok("delete", store.delete(BUCKET, &key)).await;
}

async fn what_is_past_its_limit_is_refused<C: Call>(store: &Caller<C>) {
    let (bucket, key) = ("b".repeat(BUCKET_LEN_MAX + 1), "k".repeat(KEY_LEN_MAX + 1));
    let value = vec![0; VALUE_LEN_MAX + 1];
    too_large("a bucket's name", store.open(&bucket)).await;
    too_large("a key", store.get(BUCKET, &key)).await;
    too_large("a key in a batch", store.get_many(BUCKET, &["a", &key])).await;
    too_large("a value", store.set(BUCKET, "key", &value)).await;
    refused("an empty key", store.set(BUCKET, "", b"x")).await;
    assert_eq!(ok("get", store.get(BUCKET, "key")).await, None);
}
