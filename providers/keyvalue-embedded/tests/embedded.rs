//! The provider's store against a real file: the contract, and what a crash leaves.

#[path = "embedded/full.rs"]
mod full;
#[path = "embedded/link.rs"]
mod link;
#[path = "embedded/watched.rs"]
mod watched;
#[path = "embedded/watching.rs"]
mod watching;

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use link::{Link, caller, callers, file};
use tokio::{task::JoinSet, time::timeout};
use wattle_core::{CallError, Constraints, ErrorKind, link::Settings};
use wattle_keyvalue::{Caller, Failure, INTERFACES, conformance, limit::VALUE_LEN_MAX};
use wattle_keyvalue_embedded::OpenError;
use wattle_sdk::test_host::{self, Launch, TestHost};

/// The provider, with its stores in this folder.
async fn start(dir: &Path) -> TestHost {
    let binary = env!("CARGO_BIN_EXE_wattle-keyvalue-embedded");
    TestHost::start(Launch::new(binary).data_dir(dir)).await
}

async fn link(host: &TestHost, constraints: Constraints) -> Caller<test_host::Link> {
    let link = host.link_to_provider(INTERFACES, constraints, Settings::new()).await;
    Caller::new(link.expect("it holds"))
}

#[tokio::test]
async fn keyvalue_embedded_keeps_wasi_keyvalue() {
    let dir = tempfile::tempdir().expect("a folder");
    let caller = callers(file(dir.path()).expect("a new file"));
    conformance::run(async |constraints| caller(constraints)).await;
}

#[tokio::test]
async fn the_process_keeps_the_contract_and_what_it_acknowledged_when_killed() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut host = start(dir.path()).await;
    conformance::run(async |constraints| link(&host, constraints).await).await;
    let store = link(&host, Constraints::new()).await;
    assert_eq!(store.increment("default", "n", 41).await, Ok(41));

    host.kill().await;
    assert!(matches!(store.get("default", "n").await, Err(Failure::Call(_))), "it is gone");
    let host = start(dir.path()).await;
    let store = link(&host, Constraints::new()).await;
    assert_eq!(store.increment("default", "n", 1).await, Ok(42));
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let dir = tempfile::tempdir().expect("a folder");
    let copy = tempfile::tempdir().expect("a folder");
    let store = caller(file(dir.path()).expect("a new file"));
    for n in 1..=20 {
        assert_eq!(store.increment("default", "n", 1).await, Ok(n));
    }
    store.set("default", "key", b"value").await.expect("written");
    let first = store.list_keys("default", None).await.expect("read");
    // A copy of the file while it is open is what a crash leaves: nothing was closed in order.
    std::fs::copy(dir.path().join("default.redb"), copy.path().join("default.redb"))
        .expect("a copy");
    let store = caller(file(copy.path()).expect("a file to mend"));
    assert_eq!(store.get("default", "key").await, Ok(Some(b"value".to_vec())));
    assert_eq!(store.increment("default", "n", 1).await, Ok(21));
    assert_eq!(store.list_keys("default", None).await, Ok(first), "numbers outlive a restart");
}

#[tokio::test]
async fn a_link_that_cannot_hold_says_why() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = start(dir.path()).await;
    let put = |constraints, settings| host.link_to_provider(INTERFACES, constraints, settings);
    let unknown = Constraints::from([("tables".to_owned(), vec![])]);
    let reason = put(unknown, Settings::new()).await.expect_err("an unknown constraint");
    assert!(reason.contains("tables"), "{reason}");
    let outside = Settings::from([("store".to_owned(), "../other".to_owned())]);
    put(Constraints::new(), outside).await.expect_err("not a name");
    let _file = file(dir.path()).expect("a new file");
    let reason = put(Constraints::new(), Settings::new()).await.expect_err("a file in use");
    assert!(reason.contains("another process"), "{reason}");
}

#[tokio::test]
async fn a_file_is_one_process_s_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let _open = file(dir.path()).expect("a new file");
    assert!(matches!(file(dir.path()), Err(OpenError::InUse)));
}

#[tokio::test]
async fn a_file_that_is_no_store_is_not_touched() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("default.redb");
    let text = b"somebody's letters, which are longer than a header ".repeat(1_000);
    std::fs::write(&path, &text).expect("a file");
    assert!(matches!(file(dir.path()), Err(OpenError::Damaged(_))));
    assert!(std::fs::read(&path).expect("still there") == text);
}

#[tokio::test]
async fn nobody_else_on_the_machine_reads_a_store() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a folder");
    let inner = dir.path().join("stores");
    let _open = file(&inner).expect("a new file");
    for (path, mode) in [(inner.clone(), 0o700), (inner.join("default.redb"), 0o600)] {
        let found = std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_share_the_disk_and_none_is_lost() {
    const WRITERS: u64 = 64;
    const EACH: u64 = 20;
    let dir = tempfile::tempdir().expect("a folder");
    let store = Arc::new(caller(file(dir.path()).expect("a new file")));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut sums = BTreeSet::new();
            for _ in 0..EACH {
                sums.insert(store.increment("default", "n", 1).await.expect("written"));
            }
            sums
        });
    }
    let sums: BTreeSet<u64> = writers.join_all().await.into_iter().flatten().collect();
    assert_eq!(sums, (1..=WRITERS * EACH).collect(), "each sum was answered once");
}

#[tokio::test]
async fn more_than_memory_allows_is_refused_at_once_and_the_rest_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Arc::new(caller(file(dir.path()).expect("a new file")));
    let value = Arc::new(vec![7; VALUE_LEN_MAX]);
    let mut writers = JoinSet::new();
    for n in 0..40 {
        let (store, value) = (Arc::clone(&store), Arc::clone(&value));
        writers.spawn(async move { store.set("default", &format!("big-{n}"), &value).await });
    }
    let ended = timeout(Duration::from_secs(60), writers.join_all()).await.expect("none hangs");
    let refused = ended.iter().filter(|answer| is_overloaded(answer)).count();
    let written = ended.iter().filter(|answer| answer.is_ok()).count();
    assert!(refused > 0 && written > 0 && refused + written == 40, "{refused} + {written}");
    assert_eq!(listed(&store).await, written, "what was refused was not written");
}

fn is_overloaded<T>(answer: &Result<T, Failure>) -> bool {
    matches!(answer, Err(Failure::Call(CallError { kind: ErrorKind::Overloaded, .. })))
}

async fn listed(store: &Caller<Link>) -> usize {
    store.list_keys("default", None).await.expect("read").keys.len()
}
