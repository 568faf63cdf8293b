//! What is past its limit is refused, and stops where it is.

use bytes::Bytes;
use wattle_core::{Constraints, ErrorKind, link::Settings};
use wattle_wire::Body;

use super::{fails, get, ok, put};
use crate::{
    Caller, Carry,
    limit::{BODY_IDLE_MS, DELETE_NAMES_MAX, MAX_OBJECT_BYTES},
};

const CONTAINER: &str = "conformance-limits";

/// How long the hasty link's uploads may stand still, in milliseconds: longer than a busy machine keeps a writer waiting.
const IDLE_MS: &str = "3000";

pub(super) async fn run<C: Carry>(
    store: &Caller<C>,
    caller: &impl AsyncFn(Constraints, Settings) -> Caller<C>,
) {
    ok("create-container", store.create_container(CONTAINER)).await;
    let with = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
    let small = caller(Constraints::new(), with(MAX_OBJECT_BYTES, "1000")).await;
    an_object_may_be_as_long_as_the_link_says(&small).await;
    let hasty = caller(Constraints::new(), with(BODY_IDLE_MS, IDLE_MS)).await;
    an_upload_that_stands_still_is_ended(&hasty).await;
    a_list_to_delete_has_a_length(store).await;
    ok("delete-container", store.delete_container(CONTAINER)).await;
}

async fn an_object_may_be_as_long_as_the_link_says<C: Carry>(store: &Caller<C>) {
    let too_large = ErrorKind::TooLarge;
    ok("write-data", put(store, CONTAINER, "just", vec![1; 1_000])).await;
    assert_eq!(ok("get-data", get(store, CONTAINER, "just")).await.len(), 1_000);
    fails(too_large, "a byte more", put(store, CONTAINER, "more", vec![1; 1_001])).await;

    let (mut sender, body) = Body::channel();
    let upload = ok("write-data", store.write_data(CONTAINER, "just", body)).await;
    for _ in 0..2 {
        // The second may find its reader gone.
        let _ = sender.send(Bytes::from(vec![2; 600])).await;
    }
    fails(too_large, "more, piece by piece", upload.finish()).await;
    sender.reader_gone().await;
    assert!(!ok("has-object", store.has_object(CONTAINER, "more")).await);
    assert_eq!(ok("get-data", get(store, CONTAINER, "just")).await, vec![1; 1_000]);
}

async fn an_upload_that_stands_still_is_ended<C: Carry>(store: &Caller<C>) {
    let (mut sender, body) = Body::channel();
    let upload = ok("write-data", store.write_data(CONTAINER, "still", body)).await;
    sender.send(Bytes::from_static(b"some")).await.expect("the store takes it");
    fails(ErrorKind::DeadlineExceeded, "an upload without a writer", upload.finish()).await;
    sender.reader_gone().await;
    assert!(!ok("has-object", store.has_object(CONTAINER, "still")).await);
}

async fn a_list_to_delete_has_a_length<C: Carry>(store: &Caller<C>) {
    let names = vec!["n"; DELETE_NAMES_MAX + 1];
    fails(ErrorKind::TooLarge, "a long list", store.delete_objects(CONTAINER, &names)).await;
}
