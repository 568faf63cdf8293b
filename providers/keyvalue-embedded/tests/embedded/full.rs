//! A disk that takes nothing for a while.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tokio::time::{sleep, timeout};
use wattle_core::{CallError, Constraints, ErrorKind};
use wattle_keyvalue::Failure;
use wattle_sdk::test_host::{Launch, TestHost};

use crate::{link, start, watched::PATIENCE};

/// Between two looks at what is to come by itself.
const PAUSE: Duration = Duration::from_millis(20);

/// A program that is the provider, and ignores the signal for files past their limit: what is left is a refusal, as from a disk.
///
/// A shell writes it. Were it this process, children that other tests start at that moment would have it open for writing, too, and
/// what somebody may write cannot be run.
fn deaf_to_the_signal(dir: &Path) -> PathBuf {
    let path = dir.join("provider");
    let write = r#"printf '#!/bin/sh\ntrap "" XFSZ\nexec "%s"\n' "$1" > "$0" && chmod +x "$0""#;
    let binary = env!("CARGO_BIN_EXE_wattle-keyvalue-embedded");
    let written = Command::new("sh").args(["-c", write]).arg(&path).arg(binary).status();
    assert!(written.expect("a shell").success());
    path
}

/// How long the provider's files may be, in bytes. At 0 each write to one fails.
fn limit_files(host: &TestHost, len: &str) {
    let (pid, limit) = (host.pid().to_string(), format!("--fsize={len}:"));
    let done = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
    assert!(done.expect("prlimit is there (util-linux)").success());
}

#[tokio::test]
async fn a_store_whose_disk_failed_serves_once_it_is_well_and_has_what_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a folder");
    let provider = deaf_to_the_signal(dir.path());
    let mut host = TestHost::start(Launch::new(provider).data_dir(dir.path())).await;
    let store = link(&host, Constraints::new()).await;
    assert_eq!(store.increment("default", "n", 41).await, Ok(41));

    limit_files(&host, "0");
    for _ in 0..20 {
        let refused = store.increment("default", "n", 1).await;
        let Err(Failure::Call(CallError { kind: ErrorKind::Failed, message })) = refused else {
            panic!("{refused:?}");
        };
        assert!(message.contains("too large"), "the system's reason, not {message:?}");
        sleep(PAUSE).await;
    }

    limit_files(&host, "unlimited");
    let reading = async {
        while store.get("default", "n").await.is_err() {
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, reading).await.expect("it reads again");
    assert_eq!(store.get("default", "n").await, Ok(Some(b"41".to_vec())));
    assert_eq!(store.increment("default", "n", 1).await, Ok(42), "it writes again");

    host.kill().await;
    let host = start(dir.path()).await;
    let store = link(&host, Constraints::new()).await;
    assert_eq!(store.increment("default", "n", 1).await, Ok(43));
}
