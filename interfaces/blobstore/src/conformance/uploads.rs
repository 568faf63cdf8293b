//! Uploads that break off, and uploads at the same time.

use bytes::Bytes;
use futures::future::join_all;
use wattle_core::ErrorKind;
use wattle_wire::{Body, BodySender, StreamError};

use super::{fails, get, listing::all, ok, pattern::Pattern, put};
use crate::{Caller, Carry, Failure, Upload};

const CONTAINER: &str = "conformance-uploads";

/// Bytes of an upload that breaks off: more than a store keeps back, so that some were on their way to its backend.
const BEGUN: usize = 9 * 1024 * 1024;

/// Writers of one name at a time.
const WRITERS: u64 = 8;

pub(super) async fn run<C: Carry>(store: &Caller<C>) {
    ok("create-container", store.create_container(CONTAINER)).await;
    an_upload_that_fails_leaves_nothing(store).await;
    an_upload_whose_writer_goes_leaves_nothing(store).await;
    an_upload_that_is_given_up_leaves_nothing(store).await;
    an_upload_that_fails_leaves_what_was_there(store).await;
    nothing_is_seen_until_all_is_there(store).await;
    of_several_writers_one_whole_object_stays(store).await;
    ok("delete-container", store.delete_container(CONTAINER)).await;
}

/// An upload that has taken some bytes and waits for more.
async fn begun<C: Carry>(store: &Caller<C>, name: &str) -> (BodySender, Upload) {
    let (mut sender, body) = Body::channel();
    let upload = ok("write-data", store.write_data(CONTAINER, name, body)).await;
    let mut row = Pattern::new(5);
    let mut sent = 0;
    while sent < BEGUN {
        let chunk = row.take(64 * 1024);
        sent += chunk.len();
        sender.send(Bytes::from(chunk)).await.expect("the store takes it");
    }
    (sender, upload)
}

async fn an_upload_that_fails_leaves_nothing<C: Carry>(store: &Caller<C>) {
    let (sender, upload) = begun(store, "failed").await;
    sender.abort(StreamError::Failed("as said".to_owned()));
    fails(ErrorKind::Failed, "finish", upload.finish()).await;
    is_nothing(store, "failed").await;
}

async fn an_upload_whose_writer_goes_leaves_nothing<C: Carry>(store: &Caller<C>) {
    let (sender, upload) = begun(store, "left").await;
    drop(sender);
    fails(ErrorKind::Interrupted, "finish", upload.finish()).await;
    is_nothing(store, "left").await;
}

async fn an_upload_that_is_given_up_leaves_nothing<C: Carry>(store: &Caller<C>) {
    let (mut sender, upload) = begun(store, "given-up").await;
    drop(upload);
    sender.reader_gone().await;
    is_nothing(store, "given-up").await;
}

async fn an_upload_that_fails_leaves_what_was_there<C: Carry>(store: &Caller<C>) {
    ok("write-data", put(store, CONTAINER, "kept", "the old one")).await;
    let (sender, upload) = begun(store, "kept").await;
    drop(sender);
    fails(ErrorKind::Interrupted, "finish", upload.finish()).await;
    assert_eq!(ok("get-data", get(store, CONTAINER, "kept")).await, "the old one");
    ok("delete-object", store.delete_object(CONTAINER, "kept")).await;
}

async fn nothing_is_seen_until_all_is_there<C: Carry>(store: &Caller<C>) {
    let (sender, upload) = begun(store, "late").await;
    is_nothing(store, "late").await;
    sender.finish(None);
    ok("finish", upload.finish()).await;
    let info = ok("object-info", store.object_info(CONTAINER, "late")).await;
    assert_eq!(info.size, BEGUN as u64);
    ok("delete-object", store.delete_object(CONTAINER, "late")).await;
}

async fn of_several_writers_one_whole_object_stays<C: Carry>(store: &Caller<C>) {
    const LEN: usize = 500_000;
    let writers = (0..WRITERS).map(|seed| async move {
        let data = Pattern::new(seed).body(LEN as u64);
        store.write_data(CONTAINER, "folder/shared", data).await?.finish().await
    });
    for written in join_all(writers).await {
        assert_eq!(written, Ok::<(), Failure>(()));
    }
    let found = ok("get-data", get(store, CONTAINER, "folder/shared")).await;
    assert_eq!(found.len(), LEN);
    assert!((0..WRITERS).any(|seed| Pattern::new(seed).is_next(&found)), "a mixture");
    ok("delete-object", store.delete_object(CONTAINER, "folder/shared")).await;
}

async fn is_nothing<C: Carry>(store: &Caller<C>, name: &str) {
    assert!(!ok("has-object", store.has_object(CONTAINER, name)).await, "{name}");
    let listed = all(store, CONTAINER, 100).await;
    assert!(listed.iter().all(|listed| listed != name), "{listed:?}");
}
