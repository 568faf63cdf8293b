//! What is there after the process was killed: all that was acknowledged, nothing that was not.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use wattle_blobstore::{Caller, Failure, Upload, conformance::pattern::Pattern};
use wattle_core::{Constraints, link::Settings};
use wattle_sdk::{Body, BodySender};

use super::{
    Store, files, get,
    link::{self, Link, PAUSE},
    put, start,
};

/// How long debris may lie: that of a dead process after the next start, that of a deleted container after the answer.
const SWEPT_WITHIN: Duration = Duration::from_secs(30);

/// An upload of which some bytes lie on the disk already.
async fn begun(store: &Store, caller: &Caller<Link>, name: &str) -> (BodySender, Upload) {
    let (mut sender, body) = Body::channel();
    let upload = caller.write_data("c", name, body).await.expect("begun");
    let long = || staged(store).iter().filter(|file| is_long(file)).count();
    let (before, mut row) = (long(), Pattern::new(1));
    while long() == before {
        sender.send(Bytes::from(row.take(64 * 1024))).await.expect("it is taken");
    }
    (sender, upload)
}

fn is_long(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|metadata| metadata.len() > 1 << 20)
}

/// Files that are no objects.
fn staged(store: &Store) -> Vec<PathBuf> {
    files(&store.root().join(".wattle"))
}

pub(super) async fn until_nothing_is_staged(store: &Store) {
    let swept = async {
        while !staged(store).is_empty() {
            sleep(PAUSE).await;
        }
    };
    timeout(SWEPT_WITHIN, swept).await.expect("debris is removed");
}

#[tokio::test]
async fn a_kill_in_the_middle_of_uploads_leaves_what_was_acknowledged_and_nothing_else() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    put(&caller, "c", "kept", "acknowledged").await.expect("written");
    put(&caller, "c", "replaced", "the old one").await.expect("written");
    let new = begun(&store, &caller, "folder/new").await;
    let over = begun(&store, &caller, "replaced").await;
    assert_eq!(staged(&store).len(), 2);

    let store = store.crash().await;
    for (_sender, upload) in [new, over] {
        assert!(matches!(upload.finish().await, Err(Failure::Call(_))), "never acknowledged");
    }
    let caller = store.caller().await;
    until_nothing_is_staged(&store).await;
    let listed = caller.list_objects("c", None, 10).await.expect("listed");
    assert_eq!(listed.names, ["kept", "replaced"]);
    assert_eq!(get(&caller, "c", "kept").await.as_deref(), Ok("acknowledged"));
    assert_eq!(get(&caller, "c", "replaced").await.as_deref(), Ok("the old one"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_load_leave_each_object_whole_or_not_there() {
    const ROUNDS: usize = 25;
    const WRITERS: usize = 4;
    let mut store = Store::start().await;
    store.caller().await.create_container("c").await.expect("made");
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let caller = Arc::new(store.caller().await);
        let (said, mut heard) = mpsc::channel(4_096);
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (caller, said) = (Arc::clone(&caller), said.clone());
            writers.spawn(async move {
                for n in 0.. {
                    // The same names in each round, so that objects are replaced, too.
                    let name = format!("{writer}/{}", n % 20);
                    if put(&caller, "c", &name, &content(&name, round)).await.is_err() {
                        return;
                    }
                    let _ = said.send((name, round)).await; // nobody listens once all is over
                }
            });
        }
        drop(said);
        for _ in 0..=round {
            acknowledged.push(heard.recv().await.expect("it takes what is written"));
        }
        store = store.crash().await;
        timeout(SWEPT_WITHIN, writers.join_all()).await.expect("a dead process fails its callers");
        while let Some(more) = heard.recv().await {
            acknowledged.push(more);
        }
    }
    let caller = store.caller().await;
    until_nothing_is_staged(&store).await;
    let newest: BTreeMap<String, usize> = acknowledged.into_iter().collect();
    let listed = caller.list_objects("c", None, 1_000).await.expect("listed").names;
    for name in &listed {
        let found = get(&caller, "c", name).await.expect("it is listed");
        let rounds = newest.get(name).copied().unwrap_or(0)..ROUNDS;
        let whole = rounds.into_iter().any(|round| found == content(name, round));
        assert!(whole, "{name}: {} bytes", found.len());
    }
    assert!(newest.keys().all(|name| listed.contains(name)), "all that was acknowledged");
}

/// Longer than what is written at once.
fn content(name: &str, round: usize) -> String {
    format!("{name} {round}\n").repeat(8_000)
}

#[tokio::test]
async fn what_a_living_process_has_begun_is_left_alone() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    let (sender, upload) = begun(&store, &caller, "slow").await;

    let mut second = start(store.dir.path()).await;
    let neighbour = link::caller(&second, Constraints::new(), Settings::new()).await;
    put(&neighbour, "c", "fast", "x").await.expect("written");
    second.kill().await;
    let third = start(store.dir.path()).await;
    let neighbour = link::caller(&third, Constraints::new(), Settings::new()).await;
    assert_eq!(get(&neighbour, "c", "fast").await.as_deref(), Ok("x"));

    sender.finish(None);
    upload.finish().await.expect("nobody swept it away");
    assert_eq!(neighbour.has_object("c", "slow").await, Ok(true));
}

/// Deeper than the provider goes, as nothing of its own is.
#[tokio::test]
async fn debris_that_cannot_be_removed_keeps_none_of_the_rest() {
    let store = Store::start().await;
    let hidden = store.root().join(".wattle");
    let deep = hidden.join("left-5").join("d/".repeat(200));
    std::fs::create_dir_all(deep).expect("folders");
    for n in 0..10 {
        let left = hidden.join(format!("left-{n}"));
        std::fs::create_dir_all(&left).expect("a folder");
        std::fs::write(left.join("0"), "x").expect("a file");
    }
    let _sweeps = store.caller().await;
    let left = || std::fs::read_dir(&hidden).expect("a folder").count();
    let swept = async {
        while left() > 2 {
            sleep(PAUSE).await; // the process's own folder and the deep one stay
        }
    };
    timeout(SWEPT_WITHIN, swept).await.expect("all others are removed");
}

#[tokio::test]
async fn a_container_that_was_being_deleted_is_gone_after_a_crash() {
    let store = Store::start().await;
    let caller = store.caller().await;
    caller.create_container("c").await.expect("made");
    for n in 0..50 {
        put(&caller, "c", &format!("folder-{}/{n}", n % 5), "x").await.expect("written");
    }
    caller.delete_container("c").await.expect("deleted");
    let store = store.crash().await;
    let caller = store.caller().await;
    assert_eq!(caller.container_exists("c").await, Ok(false));
    until_nothing_is_staged(&store).await;
}
