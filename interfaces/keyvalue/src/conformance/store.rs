//! One key at a time.

use wattle_core::call::Call;

use super::ok;
use crate::{Caller, limit::VALUE_LEN_MAX};

const BUCKET: &str = "conformance-store";

pub(super) async fn run<C: Call>(store: &Caller<C>) {
    a_key_has_no_value_until_it_is_set(store).await;
    a_set_value_is_read_back_byte_for_byte(store).await;
    a_later_value_replaces_the_earlier(store).await;
    a_deleted_key_has_no_value(store).await;
    buckets_do_not_see_each_other(store).await;
    the_default_bucket_has_two_names(store).await;
}

async fn a_key_has_no_value_until_it_is_set<C: Call>(store: &Caller<C>) {
    ok("open", store.open(BUCKET)).await;
    assert_eq!(ok("get", store.get(BUCKET, "nothing")).await, None);
    assert!(!ok("exists", store.exists(BUCKET, "nothing")).await);
    ok("delete of nothing", store.delete(BUCKET, "nothing")).await;
}

async fn a_set_value_is_read_back_byte_for_byte<C: Call>(store: &Caller<C>) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let long = vec![0xa5; VALUE_LEN_MAX];
    for (key, value) in [("empty", &[][..]), ("every byte: \r\n\0ä*", &every_byte), ("long", &long)]
    {
        ok("set", store.set(BUCKET, key, value)).await;
        assert!(ok("get", store.get(BUCKET, key)).await.as_deref() == Some(value), "{key:?}");
        assert!(ok("exists", store.exists(BUCKET, key)).await, "{key:?}");
    }
}

async fn a_later_value_replaces_the_earlier<C: Call>(store: &Caller<C>) {
    for value in ["first", "second, longer", "3"] {
        ok("set", store.set(BUCKET, "replaced", value.as_bytes())).await;
        let read = ok("get", store.get(BUCKET, "replaced")).await;
        assert_eq!(read.as_deref(), Some(value.as_bytes()));
    }
}

async fn a_deleted_key_has_no_value<C: Call>(store: &Caller<C>) {
    ok("set", store.set(BUCKET, "deleted", b"x")).await;
    ok("delete", store.delete(BUCKET, "deleted")).await;
    assert_eq!(ok("get", store.get(BUCKET, "deleted")).await, None);
    assert!(!ok("exists", store.exists(BUCKET, "deleted")).await);
}

async fn buckets_do_not_see_each_other<C: Call>(store: &Caller<C>) {
    for (bucket, value) in [("conformance-a", b"a"), ("conformance-b", b"b")] {
        ok("set", store.set(bucket, "same key", value)).await;
    }
    assert_eq!(ok("get", store.get("conformance-a", "same key")).await.as_deref(), Some(&b"a"[..]));
    ok("delete", store.delete("conformance-a", "same key")).await;
    assert_eq!(ok("get", store.get("conformance-b", "same key")).await.as_deref(), Some(&b"b"[..]));
}

async fn the_default_bucket_has_two_names<C: Call>(store: &Caller<C>) {
    ok("set", store.set("default", "conformance-default", b"x")).await;
    let read = ok("get", store.get("", "conformance-default")).await;
    assert_eq!(read.as_deref(), Some(&b"x"[..]));
    ok("delete", store.delete("", "conformance-default")).await;
}
