//! What a link's constraints keep from its caller.

use wattle_core::{Constraints, call::Call};

use super::{denied, listing::all_keys, ok};
use crate::{BUCKETS, Caller, KEY_PREFIX};

const BUCKET: &str = "conformance-scopes";

pub(super) async fn run<C: Call>(caller: &impl AsyncFn(Constraints) -> Caller<C>) {
    let open = caller(Constraints::new()).await;
    ok("set", open.set(BUCKET, "other/secret", b"x")).await;
    only_keys_with_the_prefix_are_within_reach(&caller(one(KEY_PREFIX, &["cart/"])).await).await;
    any_of_several_prefixes_will_do(&caller(one(KEY_PREFIX, &["cart/a", "cart/b"])).await).await;
    only_the_buckets_named_are_within_reach(&caller(one(BUCKETS, &[BUCKET])).await).await;
    nothing_named_is_nothing_within_reach(&caller(one(BUCKETS, &[])).await).await;
    assert_eq!(ok("get", open.get(BUCKET, "other/secret")).await.as_deref(), Some(&b"x"[..]));
}

fn one(name: &str, values: &[&str]) -> Constraints {
    [(name.to_owned(), values.iter().map(|&value| value.to_owned()).collect())].into()
}

async fn only_keys_with_the_prefix_are_within_reach<C: Call>(store: &Caller<C>) {
    for key in ["cart/a1", "cart/b1", "cart/c1"] {
        ok("set", store.set(BUCKET, key, b"x")).await;
        assert!(ok("exists", store.exists(BUCKET, key)).await);
    }
    for key in ["other/secret", "cart", "/cart/", "car"] {
        denied("get", store.get(BUCKET, key)).await;
        denied("set", store.set(BUCKET, key, b"y")).await;
        denied("delete", store.delete(BUCKET, key)).await;
        denied("exists", store.exists(BUCKET, key)).await;
        denied("increment", store.increment(BUCKET, key, 1)).await;
        denied("get-many", store.get_many(BUCKET, &["cart/a1", key])).await;
        denied("set-many", store.set_many(BUCKET, &[("cart/a1", "y"), (key, "y")])).await;
        denied("delete-many", store.delete_many(BUCKET, &["cart/a1", key])).await;
    }
    assert_eq!(ok("get", store.get(BUCKET, "cart/a1")).await.as_deref(), Some(&b"x"[..]));
    let listed: Vec<_> = all_keys(store, BUCKET).await.into_iter().collect();
    assert_eq!(listed, ["cart/a1", "cart/b1", "cart/c1"]);
}

async fn any_of_several_prefixes_will_do<C: Call>(store: &Caller<C>) {
    ok("get", store.get(BUCKET, "cart/a1")).await;
    denied("get", store.get(BUCKET, "cart/c1")).await;
    let listed: Vec<_> = all_keys(store, BUCKET).await.into_iter().collect();
    assert_eq!(listed, ["cart/a1", "cart/b1"]);
}

async fn only_the_buckets_named_are_within_reach<C: Call>(store: &Caller<C>) {
    ok("open", store.open(BUCKET)).await;
    ok("get", store.get(BUCKET, "cart/a1")).await;
    for bucket in ["default", "", "conformance-store", "conformance-scopes "] {
        denied("open", store.open(bucket)).await;
        denied("get", store.get(bucket, "cart/a1")).await;
        denied("list-keys", store.list_keys(bucket, None)).await;
        denied("get-many", store.get_many(bucket, &["cart/a1"])).await;
        denied("get-many of nothing", store.get_many::<&str>(bucket, &[])).await;
    }
}

async fn nothing_named_is_nothing_within_reach<C: Call>(store: &Caller<C>) {
    denied("open", store.open(BUCKET)).await;
    denied("get", store.get(BUCKET, "cart/a1")).await;
}
