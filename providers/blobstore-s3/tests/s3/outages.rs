//! The server is killed or hangs, or the provider is killed in the middle: typed errors in time, nothing half-done, and all is well
//! again by itself.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use wattle_blobstore::{Caller, Failure, Upload, conformance::pattern::Pattern};
use wattle_core::{CallError, ErrorKind};
use wattle_sdk::{Body, BodySender, StreamError};

use super::{
    Store, get,
    link::{self, DEADLINE, Link, PAUSE},
    put, start,
};

/// How soon a server that is back must serve, on a busy machine; what it took is printed.
const BACK_WITHIN: Duration = Duration::from_secs(15);

/// How soon three calls must show that nobody listens, on a busy machine.
const DOWN_WITHIN: Duration = Duration::from_secs(30);

/// How much later than its deadline a call may seem to fail on a busy machine.
const LATE: Duration = Duration::from_secs(10);

/// How soon what a dead provider left must be gone from S3.
const SWEPT_WITHIN: Duration = Duration::from_secs(30);

/// How soon an upload must end that S3 does not take any more: what patience there is with bytes that go, and a busy machine's.
const ENDED_WITHIN: Duration = Duration::from_secs(90);

pub(super) async fn until_nothing_is_unfinished(store: &Store) {
    let swept = async {
        while !store.server.unfinished().is_empty() {
            sleep(PAUSE).await;
        }
    };
    timeout(SWEPT_WITHIN, swept).await.expect("S3 was told to forget what is unfinished");
}

/// An upload of which S3 has parts already.
async fn begun(store: &Store, caller: &Caller<Link>, name: &str) -> (BodySender, Upload) {
    let (mut sender, body) = Body::channel();
    let upload = caller.write_data("c-1", name, body).await.expect("begun");
    let (before, mut row) = (store.server.unfinished().len(), Pattern::new(1));
    while store.server.unfinished().len() == before {
        sender.send(Bytes::from(row.take(64 * 1024))).await.expect("it is taken");
    }
    (sender, upload)
}

async fn started() -> (Store, Caller<Link>) {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c-1").await.expect("made");
    put(&caller, "c-1", "kept", "acknowledged").await.expect("written");
    (store, caller)
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_no_parts() {
    let (store, caller) = started().await;
    let (sender, upload) = begun(&store, &caller, "failed").await;
    sender.abort(StreamError::Failed("as said".to_owned()));
    assert!(upload.finish().await.is_err());
    until_nothing_is_unfinished(&store).await;
    let (_sender, upload) = begun(&store, &caller, "given-up").await;
    drop(upload);
    until_nothing_is_unfinished(&store).await;
    let listed = caller.list_objects("c-1", None, 10).await.expect("listed");
    assert_eq!(listed.names, ["kept"]);
}

#[tokio::test]
async fn a_provider_killed_in_the_middle_of_uploads_leaves_nothing() {
    let (store, caller) = started().await;
    let uploads = [begun(&store, &caller, "new").await, begun(&store, &caller, "kept").await];
    let store = store.crash().await;
    for (_sender, upload) in uploads {
        assert!(matches!(upload.finish().await, Err(Failure::Call(_))), "never acknowledged");
    }
    assert!(!store.server.unfinished().is_empty(), "S3 keeps the parts until it is told");
    let caller = store.caller().await;
    until_nothing_is_unfinished(&store).await;
    assert_eq!(get(&caller, "c-1", "kept").await.as_deref(), Ok("acknowledged"));
    let listed = caller.list_objects("c-1", None, 10).await.expect("listed");
    assert_eq!(listed.names, ["kept"]);
}

#[tokio::test]
async fn uploads_of_others_are_left_alone() {
    let (store, caller) = started().await;
    let (sender, upload) = begun(&store, &caller, "slow").await;
    let other = tempfile::tempdir().expect("a folder");
    let neighbour = start(other.path()).await;
    let second = link::caller(&neighbour, Default::default(), store.server.settings()).await;
    put(&second, "c-1", "fast", "x").await.expect("written");
    sender.finish(None);
    upload.finish().await.expect("nobody gave it up");
    assert_eq!(second.has_object("c-1", "slow").await, Ok(true));
}

#[tokio::test]
async fn a_server_that_is_down_is_told_at_once_and_one_that_is_back_serves() {
    let (mut store, caller) = started().await;
    store.server.kill();
    let asked = Instant::now();
    assert_down(get(&caller, "c-1", "kept").await, &[ErrorKind::Failed]);
    assert_down(put(&caller, "c-1", "new", "x").await, &[ErrorKind::Failed]);
    assert_down(caller.list_objects("c-1", None, 1).await, &[ErrorKind::Failed]);
    assert!(asked.elapsed() < DOWN_WITHIN, "{:?}", asked.elapsed());
    let late = store.caller().await; // a link holds although S3 is down
    store.server.restart();
    let restarted = Instant::now();
    let back = async {
        while get(&late, "c-1", "kept").await.is_err() {
            sleep(PAUSE).await;
        }
    };
    timeout(BACK_WITHIN, back).await.expect("it serves again");
    println!("a server that is back serves after {:?}", restarted.elapsed());
    assert_eq!(get(&caller, "c-1", "kept").await.as_deref(), Ok("acknowledged"));
}

#[tokio::test]
async fn a_server_that_hangs_fails_calls_within_their_deadline() {
    let (store, caller) = started().await;
    store.server.freeze();
    let asked = Instant::now();
    let in_time = [ErrorKind::Failed, ErrorKind::DeadlineExceeded];
    let (read, looked, listed, written) = tokio::join!(
        get(&caller, "c-1", "kept"),
        caller.has_object("c-1", "kept"),
        caller.list_objects("c-1", None, 1),
        put(&caller, "c-1", "new", "x"),
    );
    assert!(asked.elapsed() < DEADLINE + LATE, "{:?}", asked.elapsed());
    assert_down(read, &in_time);
    assert_down(looked, &in_time);
    assert_down(listed, &in_time);
    assert_down(written, &in_time);
    store.server.thaw();
    let thawed = Instant::now();
    let back = timeout(BACK_WITHIN, get(&caller, "c-1", "kept")).await.expect("it serves again");
    println!("a server that hung serves after {:?}", thawed.elapsed());
    assert_eq!(back.as_deref(), Ok("acknowledged"));
}

#[tokio::test]
async fn an_upload_to_a_server_that_hangs_ends_with_an_error_and_leaves_nothing() {
    let (store, caller) = started().await;
    let (sender, upload) = begun(&store, &caller, "stuck").await;
    store.server.freeze();
    let writer = tokio::spawn(async move {
        let (mut sender, mut row) = (sender, Pattern::new(2));
        while sender.send(Bytes::from(row.take(64 * 1024))).await.is_ok() {}
    });
    let ended = timeout(ENDED_WITHIN, upload.finish()).await.expect("it ends by itself");
    assert_down(ended, &[ErrorKind::Failed]);
    writer.await.expect("its reader went away");
    store.server.thaw();
    until_nothing_is_unfinished(&store).await;
    assert_eq!(caller.has_object("c-1", "stuck").await, Ok(false));
}

#[tokio::test]
async fn a_server_killed_under_a_download_fails_it_and_does_not_end_it() {
    const LEN: u64 = 32 << 20;
    let (mut store, caller) = started().await;
    let upload = caller.write_data("c-1", "long", Pattern::new(3).body(LEN)).await;
    upload.expect("begun").finish().await.expect("written");
    let mut download = caller.get_data("c-1", "long", 0, u64::MAX).await.expect("it is there");
    store.server.kill();
    let read = timeout(ENDED_WITHIN, Pattern::new(3).check(&mut download.body)).await;
    let read = read.expect("it ends by itself");
    assert!(matches!(read, Err(StreamError::Failed(_))), "{read:?}");
}

fn assert_down<T: std::fmt::Debug>(answer: Result<T, Failure>, kinds: &[ErrorKind]) {
    match answer {
        Err(Failure::Call(CallError { kind, message })) => {
            assert!(kinds.contains(&kind), "{kind:?}: {message}");
        }
        other => panic!("{other:?}"),
    }
}
