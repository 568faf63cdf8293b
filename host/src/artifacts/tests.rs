use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, SystemTime},
};

use tempfile::TempDir;

use super::*;

struct Store {
    dir: TempDir,
    cache: ArtifactCache,
    fetched: AtomicU32,
}

impl Store {
    fn with_room_for(bytes_max: u64) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let cache = ArtifactCache::open(dir.path().join("artifacts"), bytes_max).expect("a cache");
        Self { dir, cache, fetched: AtomicU32::new(0) }
    }

    async fn get(&self, digest: &Digest, upstream: &[u8]) -> Result<Bytes, ArtifactError> {
        let fetch = || async {
            self.fetched.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, String>(upstream.to_vec())
        };
        self.cache.get(digest, fetch).await
    }

    fn fetches(&self) -> u32 {
        self.fetched.load(Ordering::Relaxed)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.path().join("artifacts").join(digest.hex())
    }

    fn last_used(&self, digest: &Digest, seconds_ago: u64) {
        let file = fs::File::options().write(true).open(self.path(digest)).expect("it is there");
        let then = SystemTime::now() - Duration::from_secs(seconds_ago);
        file.set_modified(then).expect("it is ours");
    }
}

#[tokio::test]
async fn what_was_fetched_once_needs_no_uplink() {
    let store = Store::with_room_for(1_000);
    let digest = sha256(b"component");
    assert_eq!(store.get(&digest, b"component").await.expect("fetched"), "component");
    let offline = || async { Err::<Vec<u8>, _>("no uplink") };
    assert_eq!(store.cache.get(&digest, offline).await.expect("cached"), "component");
    let unknown = sha256(b"other");
    let refused = store.cache.get(&unknown, offline).await.expect_err("never fetched");
    assert!(matches!(refused, ArtifactError::Fetch { .. }), "{refused}");
}

#[tokio::test]
async fn what_is_not_what_was_asked_for_is_refused_and_not_kept() {
    let store = Store::with_room_for(1_000);
    let digest = sha256(b"component");
    let refused = store.get(&digest, b"hostile").await.expect_err("another artifact");
    assert!(matches!(refused, ArtifactError::Mismatch { .. }), "{refused}");
    assert!(!store.path(&digest).exists());
}

#[tokio::test]
async fn a_damaged_file_is_fetched_again() {
    let store = Store::with_room_for(1_000);
    let digest = sha256(b"component");
    store.get(&digest, b"component").await.expect("fetched");
    fs::write(store.path(&digest), b"componenT").expect("one bit flipped");
    assert_eq!(store.get(&digest, b"component").await.expect("fetched again"), "component");
    assert_eq!(store.fetches(), 2);
    assert_eq!(fs::read(store.path(&digest)).expect("it is there"), b"component");
}

#[tokio::test]
async fn what_stands_in_a_files_place_is_not_followed() {
    let store = Store::with_room_for(1_000);
    let digest = sha256(b"component");
    std::os::unix::fs::symlink("/dev/zero", store.path(&digest)).expect("a link");
    assert_eq!(store.get(&digest, b"component").await.expect("fetched"), "component");
    assert!(store.path(&digest).symlink_metadata().expect("replaced").is_file());
}

#[tokio::test]
async fn many_who_ask_at_once_fetch_once() {
    let store = Store::with_room_for(1_000);
    let digest = sha256(b"component");
    let all = futures::future::join_all((0..20).map(|_| store.get(&digest, b"component"))).await;
    assert!(all.into_iter().all(|got| got.is_ok()));
    assert_eq!(store.fetches(), 1);
}

#[tokio::test]
async fn the_least_recently_used_goes_first_but_never_what_runs() {
    let store = Store::with_room_for(250);
    let artifacts: Vec<Vec<u8>> = (0..4).map(|number| vec![number; 100]).collect();
    let digests: Vec<Digest> = artifacts.iter().map(|bytes| sha256(bytes)).collect();
    for (number, seconds_ago) in [(0, 300), (1, 200)] {
        store.get(&digests[number], &artifacts[number]).await.expect("fetched");
        store.last_used(&digests[number], seconds_ago);
    }
    store.cache.hold(BTreeSet::from([digests[0]]));
    store.get(&digests[2], &artifacts[2]).await.expect("fetched");
    let there: Vec<bool> = digests.iter().map(|digest| store.path(digest).exists()).collect();
    assert_eq!(there, [true, false, true, false], "the oldest is held, so the second went");
    store.get(&digests[3], &artifacts[3]).await.expect("fetched");
    assert!(store.path(&digests[0]).exists() && store.path(&digests[3]).exists());
    assert!(!store.path(&digests[2]).exists());
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_removed_and_strange_files_are_not() {
    let store = Store::with_room_for(10);
    let dir = store.dir.path().join("artifacts");
    fs::write(dir.join(".partial-abc"), b"half").expect("written");
    fs::write(dir.join("README"), vec![0; 100]).expect("written");
    let cache = ArtifactCache::open(dir.clone(), 10).expect("opened again");
    assert!(!dir.join(".partial-abc").exists());
    let digest = sha256(b"component");
    let fetch = || async { Ok::<_, String>(b"component".to_vec()) };
    cache.get(&digest, fetch).await.expect("fetched");
    assert!(dir.join("README").exists());
}
