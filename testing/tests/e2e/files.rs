//! Objects of any size, through the example that keeps files.

use sha2::{Digest as _, Sha256};
use wattle_testing::{Guest, Lattice, Site, http};

const BLOBS: &str = "wasi:blobstore/blobstore,wasi:blobstore/container";
const STORE: &str = "blobstore-fs";

async fn store(settings: &[&str]) -> (Lattice, Site) {
    let lattice = Lattice::start().await;
    lattice.provider(STORE).await;
    lattice.actor_with(Guest::FileStore, "files", &["--deadline", "60s"]).await;
    let files = lattice.expose_with("files", &["timeout_ms=60000"]).await;
    lattice.link("files", STORE, BLOBS, settings).await;
    (lattice, files)
}

async fn put(files: &Site, name: &str, bytes: &[u8]) -> u16 {
    http(&files.address, "PUT", name, &[], bytes).await.expect("an answer").status
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_kept_whole_listed_and_forgotten() {
    let (_lattice, files) = store(&[]).await;
    assert_eq!(files.get("/").await.text(), "");
    let large: Vec<u8> = (0..64 << 20).map(|at: usize| (at / 3) as u8).collect();
    assert_eq!(put(&files, "/large", &large).await, 201);
    assert_eq!(put(&files, "/a/b.txt", b"first").await, 201);
    assert_eq!(put(&files, "/a/b.txt", b"second").await, 201);
    assert_eq!(put(&files, "/empty", b"").await, 201);
    assert_eq!(files.get("/").await.text(), "a/b.txt\nempty\nlarge\n");
    assert_eq!(files.get("/a/b.txt").await.text(), "second");
    assert_eq!(files.get("/empty").await.body, b"");
    let back = files.get("/large").await.body;
    assert_eq!(Sha256::digest(&back), Sha256::digest(&large));
    let deleted = http(&files.address, "DELETE", "/a/b.txt", &[], b"").await.expect("an answer");
    assert_eq!(deleted.status, 204);
    assert_eq!(files.get("/a/b.txt").await.status, 404);
    assert_eq!(files.get("/").await.text(), "empty\nlarge\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_breaks_off_leaves_what_was_there() {
    let (lattice, files) = store(&[]).await;
    assert_eq!(put(&files, "/file", b"before").await, 201);
    let mut client = files.connect().await;
    client.send_head("PUT", "/file", &[], 1 << 20).await.expect("it is sent");
    client.write(&vec![b'x'; 100_000]).await.expect("it is sent");
    let until = async |calls: u64| {
        let patience = std::time::Duration::from_secs(30);
        wattle_testing::eventually("the upload begins, and ends", patience, async || {
            let status = lattice.actor_status("files").await;
            (status["in-flight"].as_u64() == Some(calls)).then_some(())
        })
        .await;
    };
    until(1).await;
    drop(client);
    until(0).await;
    assert_eq!(files.get("/file").await.text(), "before");
    assert_eq!(files.get("/").await.text(), "file\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_lead_out_and_containers_that_are_not_listed_are_refused() {
    let (lattice, files) = store(&["--constraint", "containers=files"]).await;
    for name in ["/a/../../b", "/%00", "/a//b", "/./a", "/a\\..\\b"] {
        let refused = http(&files.address, "PUT", name, &[], b"x").await.expect("an answer");
        let fits = matches!(refused.status, 400 | 422) || name.contains('%');
        assert!(fits, "{name}: {}", refused.status);
    }
    assert_eq!(put(&files, "/fine", b"x").await, 201);
    lattice.link("files", STORE, BLOBS, &["--constraint", "containers=others"]).await;
    assert_eq!(files.get("/fine").await.status, 500);
    let log = lattice.log().await;
    assert!(log.contains("denied"), "{log}");
}
