//! Artifacts: stored once, fetched whole or not at all.

use sha2::{Digest as _, Sha256};
use wattle_core::Digest;
use wattle_lattice::{ARTIFACT_LEN_MAX, ArtifactsError, StoreError};

use crate::scene::{Scene, soon, until_connected};

const BUCKET: &str = "wattle_shop_artifacts";
const STREAM: &str = "OBJ_wattle_shop_artifacts";

fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}

/// Bytes that do not repeat with a chunk's length.
fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect()
}

async fn admin(scene: &Scene) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(scene.stranger().await)
}

async fn messages(scene: &Scene) -> u64 {
    let mut stream = admin(scene).await.get_stream(STREAM).await.unwrap();
    stream.info().await.unwrap().state.messages
}

#[tokio::test]
async fn what_is_put_is_what_is_got_whatever_its_length() {
    let scene = Scene::start().await;
    let artifacts = scene.connect().await.artifacts().await.unwrap();
    for len in [0, 1, 131_071, 131_072, 131_073, 5_000_000] {
        let bytes = bytes(len);
        let stored = artifacts.put(&bytes).await.unwrap();
        assert_eq!(stored, digest(&bytes), "{len}");
        assert_eq!(artifacts.get(&stored).await.unwrap(), bytes, "{len}");
    }
}

#[tokio::test]
async fn what_is_there_already_is_not_stored_again() {
    let scene = Scene::start().await;
    let artifacts = scene.connect().await.artifacts().await.unwrap();
    let bytes = bytes(300_000);
    artifacts.put(&bytes).await.unwrap();
    let before = messages(&scene).await;
    assert_eq!(before, 4);
    artifacts.put(&bytes).await.unwrap();
    assert_eq!(messages(&scene).await, before);
}

#[tokio::test]
async fn many_who_store_the_same_at_once_leave_one() {
    let scene = Scene::start().await;
    let artifacts = scene.connect().await.artifacts().await.unwrap();
    let bytes = bytes(300_000);
    let puts = (0..3).map(|_| artifacts.put(&bytes));
    for put in soon("all are done", futures::future::join_all(puts)).await {
        assert_eq!(put.unwrap(), digest(&bytes));
    }
    assert_eq!(artifacts.get(&digest(&bytes)).await.unwrap(), bytes);
    assert_eq!(messages(&scene).await, 4);
}

#[tokio::test]
async fn what_is_not_there_or_too_large_is_said() {
    let scene = Scene::start().await;
    let artifacts = scene.connect().await.artifacts().await.unwrap();
    let none = digest(b"never stored");
    assert_eq!(artifacts.get(&none).await, Err(ArtifactsError::NotFound(none)));
    let error = artifacts.put(&vec![0; ARTIFACT_LEN_MAX + 1]).await.unwrap_err();
    assert!(matches!(error, ArtifactsError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn natss_own_tools_read_what_is_stored() {
    use tokio::io::AsyncReadExt;
    let scene = Scene::start().await;
    let artifacts = scene.connect().await.artifacts().await.unwrap();
    let bytes = bytes(300_000);
    let stored = artifacts.put(&bytes).await.unwrap();
    let store = admin(&scene).await.get_object_store(BUCKET).await.unwrap();
    let mut read = Vec::new();
    store.get(stored.hex()).await.unwrap().read_to_end(&mut read).await.unwrap();
    assert_eq!(read, bytes);
    store.delete(stored.hex()).await.unwrap();
    assert_eq!(artifacts.get(&stored).await, Err(ArtifactsError::NotFound(stored)));
    artifacts.put(&bytes).await.unwrap();
    assert_eq!(artifacts.get(&stored).await.unwrap(), bytes);
}

#[tokio::test]
async fn other_bytes_under_its_name_are_never_returned_and_are_replaced() {
    let scene = Scene::start().await;
    let artifacts = scene.connect().await.artifacts().await.unwrap();
    let bytes = bytes(300_000);
    let stored = artifacts.put(&bytes).await.unwrap();
    let store = admin(&scene).await.get_object_store(BUCKET).await.unwrap();
    let mut evil = bytes.clone();
    evil[150_000] ^= 1;
    for evil in [&evil[..], &bytes[..100], &[]] {
        store.put(stored.hex().as_str(), &mut &*evil).await.unwrap();
        assert_eq!(artifacts.get(&stored).await, Err(ArtifactsError::Corrupt(stored)));
    }
    artifacts.put(&bytes).await.unwrap();
    assert_eq!(artifacts.get(&stored).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_damaged_description_or_damaged_chunks_are_corrupt_at_once_and_healed() {
    let scene = Scene::start().await;
    let artifacts = scene.connect().await.artifacts().await.unwrap();
    let bytes = bytes(300_000);
    let stored = artifacts.put(&bytes).await.unwrap();
    let jetstream = admin(&scene).await;
    let store = jetstream.get_object_store(BUCKET).await.unwrap();
    let good = store.info(stored.hex()).await.unwrap();
    let meta = {
        use base64::Engine;
        let name = base64::engine::general_purpose::URL_SAFE.encode(stored.hex());
        format!("$O.{BUCKET}.M.{name}")
    };
    let describe = async |text: Vec<u8>| {
        jetstream.publish(meta.clone(), text.into()).await.unwrap().await.unwrap();
        let got = soon("an error", artifacts.get(&stored)).await;
        assert_eq!(got, Err(ArtifactsError::Corrupt(stored)));
    };
    describe(b"{".to_vec()).await;
    describe(vec![0xff; 100_000]).await;
    for change in [("chunks", 2_u64), ("chunks", 4), ("chunks", 0), ("size", 299_999), ("size", 1)]
    {
        let mut evil = serde_json::to_value(&good).unwrap();
        evil[change.0] = change.1.into();
        describe(evil.to_string().into_bytes()).await;
    }
    let mut evil = serde_json::to_value(&good).unwrap();
    evil["nuid"] = "another".into();
    describe(evil.to_string().into_bytes()).await;
    let link = serde_json::json!({ "name": good.name, "bucket": BUCKET, "nuid": "x",
        "options": { "link": { "name": good.name, "bucket": BUCKET } } });
    describe(link.to_string().into_bytes()).await;

    artifacts.put(&bytes).await.unwrap();
    let good = store.info(stored.hex()).await.unwrap();
    let chunks = format!("$O.{BUCKET}.C.{}", good.nuid);
    jetstream.publish(chunks.clone(), "more".into()).await.unwrap().await.unwrap();
    assert_eq!(artifacts.get(&stored).await, Err(ArtifactsError::Corrupt(stored)));
    let stream = jetstream.get_stream(STREAM).await.unwrap();
    stream.purge().filter(chunks).await.unwrap();
    let got = soon("an error", artifacts.get(&stored)).await;
    assert_eq!(got, Err(ArtifactsError::Corrupt(stored)));
    artifacts.put(&bytes).await.unwrap();
    assert_eq!(artifacts.get(&stored).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_claim_of_an_absurd_size_costs_no_memory() {
    let scene = Scene::start().await;
    let artifacts = scene.connect().await.artifacts().await.unwrap();
    let stored = artifacts.put(b"small").await.unwrap();
    let jetstream = admin(&scene).await;
    let store = jetstream.get_object_store(BUCKET).await.unwrap();
    let mut evil = store.info(stored.hex()).await.unwrap();
    evil.size = usize::MAX;
    use base64::Engine;
    let name = base64::engine::general_purpose::URL_SAFE.encode(stored.hex());
    let text = serde_json::to_vec(&evil).unwrap();
    jetstream.publish(format!("$O.{BUCKET}.M.{name}"), text.into()).await.unwrap().await.unwrap();
    let error = artifacts.get(&stored).await.unwrap_err();
    assert!(matches!(error, ArtifactsError::TooLarge { .. }), "{error}");
    artifacts.put(b"small").await.unwrap();
    assert_eq!(artifacts.get(&stored).await.unwrap(), b"small");
}

#[tokio::test]
async fn a_deleted_store_is_made_again() {
    let scene = Scene::start().await;
    let artifacts = scene.connect().await.artifacts().await.unwrap();
    let stored = artifacts.put(b"one").await.unwrap();
    admin(&scene).await.delete_stream(STREAM).await.unwrap();
    assert_eq!(artifacts.get(&stored).await, Err(ArtifactsError::NotFound(stored)));
    artifacts.put(b"one").await.unwrap();
    assert_eq!(artifacts.get(&stored).await.unwrap(), b"one");
}

#[tokio::test]
async fn artifacts_survive_a_killed_server_and_fail_typed_without_one() {
    let mut scene = Scene::start().await;
    let lattice = scene.connect().await;
    let artifacts = lattice.artifacts().await.unwrap();
    let bytes = bytes(2_000_000);
    let stored = artifacts.put(&bytes).await.unwrap();
    scene.nats.kill().await;
    until_connected(&lattice, false).await;
    let disconnected = Err(ArtifactsError::Store(StoreError::Disconnected));
    assert_eq!(artifacts.get(&stored).await, disconnected);
    scene.nats.restart().await.unwrap();
    assert_eq!(artifacts.get(&stored).await.unwrap(), bytes);
}
