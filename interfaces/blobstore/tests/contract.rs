//! The contract itself: its suite, its bytes, and what a caller without manners gets.

#[path = "contract/memory.rs"]
mod memory;
#[path = "contract/wire.rs"]
mod wire;

use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use memory::Memory;
use wattle_blobstore::{
    Bounds, Caller, Carry, Failure, INTERFACES, Incoming, Links, Scope,
    conformance::{self, pattern::Pattern},
    limit::{BODY_IDLE_MS, CONTAINER_LEN_MAX, DELETE_NAMES_MAX, OBJECT_LEN_MAX},
    operation,
};
use wattle_core::{CallError, Constraints, ErrorKind, Operation, codec, link::Settings};
use wattle_wire::{Body, Reply};

/// A link to a store in memory.
struct Link {
    links: Arc<Links<Memory>>,
    number: u32,
}

impl Carry for Link {
    async fn carry(
        &self,
        operation: Operation,
        params: Vec<u8>,
        body: Option<Body>,
    ) -> Result<Reply, CallError> {
        dispatch(&self.links, self.number, operation, &params, body).await
    }
}

#[tokio::test]
async fn the_suite_passes_a_store_that_keeps_the_contract() {
    let (links, store) = (Arc::new(Links::default()), Memory::default());
    let next = Cell::new(0);
    conformance::run(async |constraints, settings| {
        let number = next.replace(next.get() + 1);
        link(&links, number, &store, &constraints, &settings)
    })
    .await;
}

#[tokio::test]
async fn a_download_that_nobody_takes_is_ended() {
    let (links, store) = (Arc::new(Links::default()), Memory::default());
    let hasty = [(BODY_IDLE_MS.to_owned(), "2000".to_owned())].into();
    let caller = link(&links, 1, &store, &Constraints::new(), &hasty);
    caller.create_container("c").await.expect("made");
    let upload = caller.write_data("c", "long", Pattern::new(1).body(1 << 20)).await;
    upload.expect("begun").finish().await.expect("written");
    let mut download = caller.get_data("c", "long", 0, u64::MAX).await.expect("it is there");
    assert_eq!(store.readings(), 1);
    let given_up = async {
        while store.readings() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), given_up).await.expect("the store gives it up");
    let ended = Pattern::new(1).check(&mut download.body).await.map_err(Failure::from);
    assert!(
        matches!(ended, Err(Failure::Call(CallError { kind: ErrorKind::DeadlineExceeded, .. }))),
        "{ended:?}"
    );
}

#[tokio::test]
async fn only_so_many_bodies_are_under_way_over_one_link() {
    let (links, store) = (Arc::new(Links::default()), Memory::default());
    let caller = link(&links, 1, &store, &Constraints::new(), &Settings::new());
    let other = link(&links, 2, &store, &Constraints::new(), &Settings::new());
    caller.create_container("c").await.expect("made");
    let mut held = Vec::new();
    let refused = loop {
        let (sender, body) = Body::channel();
        match caller.write_data("c", &format!("n{}", held.len()), body).await {
            Ok(upload) => held.push((sender, upload)),
            Err(failure) => break failure,
        }
        assert!(held.len() < 1_000, "there is a limit");
    };
    let is_overloaded =
        matches!(&refused, Failure::Call(CallError { kind: ErrorKind::Overloaded, .. }));
    assert!(is_overloaded, "{refused:?}");
    let neighbour = other.write_data("c", "other", Body::full("x")).await.expect("begun");
    neighbour.finish().await.expect("a neighbour does not notice");
    let (mut sender, upload) = held.pop().expect("some are held");
    drop(upload);
    sender.reader_gone().await;
    let again = caller.write_data("c", "again", Body::full("x")).await.expect("a place is free");
    again.finish().await.expect("written");
}

#[tokio::test]
async fn a_caller_without_manners_is_held_to_the_same_limits() {
    let params = |container: usize, name: usize| {
        let name = "n/".repeat(name / 2) + "nn"[..name % 2].trim_end();
        let name = name.trim_end_matches('/').to_owned();
        codec::encode(&BTreeMap::from([("container", "c".repeat(container)), ("name", name)]))
    };
    assert_eq!(call(operation::HAS_OBJECT, &params(1, 3)).await, Ok(()));
    let long = call(operation::HAS_OBJECT, &params(CONTAINER_LEN_MAX + 1, 3)).await;
    assert_eq!(long, Err(ErrorKind::TooLarge));
    let long = call(operation::HAS_OBJECT, &params(1, OBJECT_LEN_MAX + 3)).await;
    assert_eq!(long, Err(ErrorKind::TooLarge));

    let names = |len: usize| codec::encode(&Names { container: "c", names: vec!["n"; len] });
    assert_eq!(call(operation::DELETE_OBJECTS, &names(DELETE_NAMES_MAX)).await, Ok(()));
    let long = call(operation::DELETE_OBJECTS, &names(DELETE_NAMES_MAX + 1)).await;
    assert_eq!(long, Err(ErrorKind::Malformed));
    let up = codec::encode(&Names { container: "c", names: vec!["../n"] });
    assert_eq!(call(operation::DELETE_OBJECTS, &up).await, Err(ErrorKind::Malformed));
    let no_body = codec::encode(&BTreeMap::from([("container", "c"), ("name", "n")]));
    assert_eq!(call(operation::WRITE_DATA, &no_body).await, Err(ErrorKind::Malformed));
}

#[tokio::test]
async fn parameters_of_no_shape_or_another_are_malformed() {
    for params in [&b""[..], b"\xc1", b"\xc0", &codec::encode("text"), &codec::encode(&(1, 2, 3))] {
        for operation in all_operations() {
            let answer = call(operation, params).await;
            assert_eq!(answer, Err(ErrorKind::Malformed), "{operation}");
        }
    }
}

#[tokio::test]
async fn what_the_contract_does_not_have_is_not_found() {
    for (interface, function) in [
        ("wasi:blobstore/container", "open"),
        ("wasi:blobstore/blobstore", "get-data"),
        ("wasi:blobstore/types", "size"),
        ("", ""),
    ] {
        let answer = call(Operation { interface, function }, b"\xc0").await;
        assert!(matches!(answer, Err(ErrorKind::NotFound | ErrorKind::Malformed)), "{answer:?}");
        let well_formed = codec::encode(&BTreeMap::from([("container", "c")]));
        let answer = call(Operation { interface, function }, &well_formed).await;
        assert_eq!(answer, Err(ErrorKind::NotFound));
    }
}

#[tokio::test]
async fn a_link_that_is_gone_is_denied() {
    let links = Links::<Memory>::default();
    links.put(1, Scope::default(), Bounds::default(), Memory::default());
    links.delete(1);
    let error = dispatch(&links, 1, operation::INFO, b"", None).await.expect_err("no link");
    assert_eq!(error.kind, ErrorKind::Denied);
}

#[test]
fn every_operation_is_of_an_interface_that_a_link_can_grant() {
    for operation in all_operations() {
        assert!(INTERFACES.contains(&operation.interface), "{operation}");
    }
}

#[derive(serde::Serialize)]
struct Names<'a> {
    container: &'a str,
    names: Vec<&'a str>,
}

fn all_operations() -> [Operation; 15] {
    use operation::*;
    [
        CREATE_CONTAINER,
        GET_CONTAINER,
        DELETE_CONTAINER,
        CONTAINER_EXISTS,
        COPY_OBJECT,
        MOVE_OBJECT,
        INFO,
        GET_DATA,
        WRITE_DATA,
        LIST_OBJECTS,
        DELETE_OBJECT,
        DELETE_OBJECTS,
        HAS_OBJECT,
        OBJECT_INFO,
        CLEAR,
    ]
}

fn link(
    links: &Arc<Links<Memory>>,
    number: u32,
    store: &Memory,
    constraints: &Constraints,
    settings: &Settings,
) -> Caller<Link> {
    let scope = Scope::new(constraints).expect("known constraints");
    let bounds = Bounds::from_settings(settings).expect("good bounds");
    links.put(number, scope, bounds, store.clone());
    Caller::new(Link { links: Arc::clone(links), number })
}

/// One call to a store with a container `c`; what the store itself says is fine.
async fn call(operation: Operation, params: &[u8]) -> Result<(), ErrorKind> {
    let links = Arc::new(Links::default());
    let store = Memory::default();
    let caller = link(&links, 7, &store, &Constraints::new(), &Settings::new());
    caller.create_container("c").await.expect("made");
    let answer = dispatch(&links, 7, operation, params, None).await;
    answer.map(drop).map_err(|error| error.kind)
}

async fn dispatch(
    links: &Links<Memory>,
    link: u32,
    Operation { interface, function }: Operation,
    params: &[u8],
    body: Option<Body>,
) -> Result<Reply, CallError> {
    let deadline = Instant::now() + Duration::from_secs(3_600);
    links.dispatch(Incoming { link, interface, function, params, body, deadline }).await
}
