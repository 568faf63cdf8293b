//! The contract without a backend: what its messages look like, and what dispatch lets through.

#[path = "contract/memory.rs"]
mod memory;
#[path = "contract/wire.rs"]
mod wire;

use std::{collections::BTreeMap, pin::pin, sync::Arc, task::Context, task::Poll, task::Waker};

use memory::Memory;
use wattle_core::{CallError, ErrorKind, Operation, call::Call, codec};
use wattle_keyvalue::{
    Caller, INTERFACES, Links, Scope, conformance,
    limit::{BATCH_KEYS_MAX, BUCKET_LEN_MAX, KEY_LEN_MAX},
    operation,
};

/// A link to a store in memory.
struct Link {
    links: Arc<Links<Memory>>,
    number: u32,
}

impl Call for Link {
    async fn call(&self, operation: Operation, params: Vec<u8>) -> Result<bytes::Bytes, CallError> {
        let Operation { interface, function } = operation;
        self.links.dispatch(self.number, interface, function, &params).await.map(Into::into)
    }
}

#[test]
fn the_suite_passes_a_store_that_keeps_the_contract() {
    let (links, store) = (Arc::new(Links::default()), Memory::default());
    let next = std::cell::Cell::new(0);
    ready(conformance::run(async |constraints| {
        let number = next.replace(next.get() + 1);
        let scope = Scope::new(&constraints).expect("known constraints");
        links.put(number, scope, store.clone());
        Caller::new(Link { links: Arc::clone(&links), number })
    }));
}

#[test]
fn a_caller_without_manners_is_held_to_the_same_limits() {
    let key = |bucket: usize, key: usize| {
        codec::encode(&BTreeMap::from([("bucket", "b".repeat(bucket)), ("key", "k".repeat(key))]))
    };
    assert_eq!(call(operation::GET, &key(BUCKET_LEN_MAX, KEY_LEN_MAX)), Ok(()));
    assert_eq!(call(operation::GET, &key(BUCKET_LEN_MAX + 1, 1)), Err(ErrorKind::TooLarge));
    assert_eq!(call(operation::GET, &key(1, KEY_LEN_MAX + 1)), Err(ErrorKind::TooLarge));

    let batch = |len: usize| codec::encode(&Batch { bucket: "b", keys: vec!["k"; len] });
    assert_eq!(call(operation::GET_MANY, &batch(BATCH_KEYS_MAX)), Ok(()));
    assert_eq!(call(operation::GET_MANY, &batch(BATCH_KEYS_MAX + 1)), Err(ErrorKind::Malformed));
    let long_key = codec::encode(&Batch { bucket: "b", keys: vec![&"k".repeat(KEY_LEN_MAX + 1)] });
    assert_eq!(call(operation::DELETE_MANY, &long_key), Err(ErrorKind::TooLarge));
}

#[test]
fn parameters_of_no_shape_or_another_are_malformed() {
    for params in [&b""[..], b"\xc1", b"\xc0", &codec::encode("text"), &codec::encode(&(1, 2, 3))] {
        for operation in all_operations() {
            assert_eq!(call(operation, params), Err(ErrorKind::Malformed), "{operation}");
        }
    }
}

#[test]
fn what_the_contract_does_not_have_is_not_found() {
    for (interface, function) in [
        ("wasi:keyvalue/store", "clear"),
        ("wasi:keyvalue/batch", "get"),
        ("wasi:keyvalue/watcher", "on-set"),
        ("", ""),
    ] {
        assert_eq!(call(Operation { interface, function }, b""), Err(ErrorKind::NotFound));
    }
}

#[test]
fn a_link_that_is_gone_is_denied() {
    let links = Links::<Memory>::default();
    links.put(1, Scope::default(), Memory::default());
    links.delete(1);
    let Operation { interface, function } = operation::GET;
    let error = ready(links.dispatch(1, interface, function, b"")).expect_err("no link");
    assert_eq!(error.kind, ErrorKind::Denied);
}

#[test]
fn every_operation_is_of_an_interface_that_a_link_can_grant() {
    for operation in all_operations() {
        assert!(INTERFACES.contains(&operation.interface), "{operation}");
    }
}

#[derive(serde::Serialize)]
struct Batch<'a> {
    bucket: &'a str,
    keys: Vec<&'a str>,
}

fn all_operations() -> [Operation; 10] {
    use operation::*;
    [OPEN, GET, SET, DELETE, EXISTS, LIST_KEYS, INCREMENT, GET_MANY, SET_MANY, DELETE_MANY]
}

fn call(operation: Operation, params: &[u8]) -> Result<(), ErrorKind> {
    let links = Links::default();
    links.put(7, Scope::default(), Memory::default());
    let Operation { interface, function } = operation;
    let answer = ready(links.dispatch(7, interface, function, params));
    answer.map(drop).map_err(|error| error.kind)
}

/// What a future gives that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a store in memory waits for nothing"),
    }
}
