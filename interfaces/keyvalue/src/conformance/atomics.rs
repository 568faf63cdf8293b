//! Numbers that are added to.

use wattle_core::call::Call;

use super::{ok, refused};
use crate::Caller;

const BUCKET: &str = "conformance-atomics";

pub(super) async fn run<C: Call>(store: &Caller<C>) {
    a_number_starts_at_nothing_and_is_decimal_text(store).await;
    what_is_no_number_is_left_alone(store).await;
    a_sum_past_the_end_changes_nothing(store).await;
}

async fn a_number_starts_at_nothing_and_is_decimal_text<C: Call>(store: &Caller<C>) {
    for (delta, sum) in [(1, 1), (41, 42), (0, 42)] {
        assert_eq!(ok("increment", store.increment(BUCKET, "n", delta)).await, sum);
    }
    assert_eq!(ok("get", store.get(BUCKET, "n")).await.as_deref(), Some(&b"42"[..]));
    ok("set", store.set(BUCKET, "n", b"100")).await;
    assert_eq!(ok("increment", store.increment(BUCKET, "n", 1)).await, 101);
    ok("delete", store.delete(BUCKET, "n")).await;
    assert_eq!(ok("increment", store.increment(BUCKET, "n", 1)).await, 1);
}

async fn what_is_no_number_is_left_alone<C: Call>(store: &Caller<C>) {
    for text in ["", "one", "1.5", " 1", "1 ", "+1", "99999999999999999999"] {
        ok("set", store.set(BUCKET, "text", text.as_bytes())).await;
        refused(text, store.increment(BUCKET, "text", 1)).await;
        let read = ok("get", store.get(BUCKET, "text")).await;
        assert_eq!(read.as_deref(), Some(text.as_bytes()));
    }
}

async fn a_sum_past_the_end_changes_nothing<C: Call>(store: &Caller<C>) {
    const END: u64 = i64::MAX as u64;
    assert_eq!(ok("increment", store.increment(BUCKET, "end", END)).await, END);
    for delta in [1, END, END + 1, u64::MAX] {
        refused("a sum past the end", store.increment(BUCKET, "end", delta)).await;
    }
    assert_eq!(ok("increment", store.increment(BUCKET, "end", 0)).await, END);
}
