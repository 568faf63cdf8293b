//! Records: put, compared, listed and watched, whatever happens to the bucket.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures::{Stream, StreamExt};
use wattle_lattice::{RecordChange, RecordsError, StoreError};

use crate::scene::{Scene, eventually, soon, until_connected};

const STREAM: &str = "KV_wattle_shop_records";

async fn next(changes: &mut (impl Stream<Item = RecordChange> + Unpin)) -> RecordChange {
    soon("a change", changes.next()).await.unwrap()
}

/// Follows until a listing is complete; what it listed, and whether it was of a bucket replaced.
async fn listing(
    changes: &mut (impl Stream<Item = RecordChange> + Unpin),
) -> (bool, BTreeMap<String, String>) {
    let (mut begun, mut listed) = (None, BTreeMap::new());
    loop {
        match next(changes).await {
            RecordChange::Listing { replaced } => {
                begun = Some(replaced);
                listed.clear();
            }
            RecordChange::Put { key, token, .. } => drop(listed.insert(key, token)),
            RecordChange::Gone { key } => drop(listed.remove(&key)),
            RecordChange::Listed => {
                if let Some(replaced) = begun {
                    return (replaced, listed);
                }
            }
        }
    }
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, token)| ((*key).to_owned(), (*token).to_owned())).collect()
}

async fn admin(scene: &Scene) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(scene.stranger().await)
}

#[tokio::test]
async fn a_record_is_replaced_only_by_who_knows_it() {
    let scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    assert_eq!(records.get("link/a").await.unwrap(), None);
    let first = records.put("link/a", "one", Some(0)).await.unwrap();
    let conflict = records.put("link/a", "two", Some(0)).await;
    assert!(matches!(conflict, Err(RecordsError::Conflict { .. })), "{conflict:?}");
    let second = records.put("link/a", "two", Some(first)).await.unwrap();
    let conflict = records.put("link/a", "three", Some(first)).await;
    assert!(matches!(conflict, Err(RecordsError::Conflict { .. })), "{conflict:?}");
    assert_eq!(records.get("link/a").await.unwrap(), Some(("two".to_owned(), second)));
    records.put("link/a", "four", None).await.unwrap();
    records.put("config/b", "five", None).await.unwrap();
    let all: BTreeMap<String, String> = records.all().await.unwrap().into_iter().collect();
    assert_eq!(all, map(&[("link/a", "four"), ("config/b", "five")]));
}

#[tokio::test]
async fn of_many_who_put_at_once_one_wins() {
    let scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    let revision = records.put("k", "start", Some(0)).await.unwrap();
    let put = |number: usize| {
        let records = records.clone();
        async move { records.put("k", &number.to_string(), Some(revision)).await }
    };
    let put: Vec<_> = futures::future::join_all((0..20).map(put)).await;
    assert_eq!(put.iter().filter(|put| put.is_ok()).count(), 1);
}

#[tokio::test]
async fn keys_and_sizes_are_bounded() {
    let scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    for key in ["", "*", "a.>", "a b", "\u{e4}"] {
        assert!(matches!(records.put(key, "x", None).await, Err(RecordsError::Key(_))), "{key}");
        assert!(matches!(records.get(key).await, Err(RecordsError::Key(_))), "{key}");
    }
    let largest = "x".repeat(900 * 1024);
    records.put("k", &largest, None).await.unwrap();
    assert_eq!(records.get("k").await.unwrap().unwrap().0, largest);
    let error = records.put("k", &(largest + "x"), None).await.unwrap_err();
    assert!(matches!(error, RecordsError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn who_watches_sees_what_is_there_and_then_what_changes() {
    let scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    let mut changes = records.watch().await.unwrap();
    assert_eq!(next(&mut changes).await, RecordChange::Listing { replaced: false });
    assert_eq!(next(&mut changes).await, RecordChange::Listed);
    let revision = records.put("a", "1", None).await.unwrap();
    let RecordChange::Put { key, token, revision: its, stored_s } = next(&mut changes).await else {
        panic!("it was put");
    };
    assert_eq!((key.as_str(), token.as_str(), its), ("a", "1", revision));
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(stored_s.abs_diff(now_s) < 60, "NATS is on this machine");

    let other = scene.connect().await.records().await.unwrap();
    assert_eq!(listing(&mut other.watch().await.unwrap()).await, (false, map(&[("a", "1")])));
}

#[tokio::test]
async fn thousands_of_records_are_listed_whole() {
    let scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    let stranger = scene.stranger().await;
    for number in 0..3_000 {
        let subject = format!("$KV.wattle_shop_records.k{number}");
        stranger.publish(subject, number.to_string().into()).await.unwrap();
    }
    let jetstream = async_nats::jetstream::new(stranger);
    let stored = || async {
        let stored = jetstream.get_stream(STREAM).await.unwrap().cached_info().state.messages;
        if stored == 3_000 { Ok(()) } else { Err(stored) }
    };
    eventually("all are stored", stored).await;
    assert_eq!(records.all().await.unwrap().len(), 3_000);
    assert_eq!(listing(&mut records.watch().await.unwrap()).await.1.len(), 3_000);
}

#[tokio::test]
async fn a_deleted_key_is_gone_and_may_be_put_again() {
    let scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    records.put("a", "1", None).await.unwrap();
    let mut changes = records.watch().await.unwrap();
    listing(&mut changes).await;
    let bucket = admin(&scene).await.get_key_value("wattle_shop_records").await.unwrap();
    bucket.delete("a").await.unwrap();
    assert_eq!(next(&mut changes).await, RecordChange::Gone { key: "a".into() });
    assert_eq!(records.get("a").await.unwrap(), None);
    assert_eq!(records.all().await.unwrap(), []);
    records.put("a", "2", Some(0)).await.unwrap();
    assert!(matches!(next(&mut changes).await, RecordChange::Put { token, .. } if token == "2"));
    bucket.purge("a").await.unwrap();
    assert_eq!(next(&mut changes).await, RecordChange::Gone { key: "a".into() });
}

#[tokio::test]
async fn what_a_stranger_writes_is_told_as_what_it_is() {
    let scene = Scene::start().await;
    let lattice = scene.connect().await;
    let records = lattice.records().await.unwrap();
    let mut changes = records.watch().await.unwrap();
    listing(&mut changes).await;
    let jetstream = admin(&scene).await;
    let write = async |key: &str, payload: Vec<u8>| {
        let subject = format!("$KV.wattle_shop_records.{key}");
        jetstream.publish(subject, payload.into()).await.unwrap().await.unwrap();
    };
    write("bytes", vec![0xff, 0xfe]).await;
    write("nothing", vec![]).await;
    write("bad%key", b"x".to_vec()).await;
    write("good", b"x".to_vec()).await;
    for key in ["bytes", "nothing"] {
        assert!(matches!(next(&mut changes).await, RecordChange::Put { key: its, token, .. }
            if its == key && token.is_empty()));
    }
    assert!(matches!(next(&mut changes).await, RecordChange::Put { key, .. } if key == "good"));
    assert!(lattice.traffic().refused >= 3);
    // Whoever knows better can replace it.
    let (token, revision) = records.get("bytes").await.unwrap().unwrap();
    assert_eq!(token, "");
    records.put("bytes", "right", Some(revision)).await.unwrap();
}

#[tokio::test]
async fn an_emptied_bucket_is_noticed_and_can_be_seeded_again() {
    let scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    records.put("a", "1", None).await.unwrap();
    let mut changes = records.watch().await.unwrap();
    assert_eq!(listing(&mut changes).await, (false, map(&[("a", "1")])));
    let stream = admin(&scene).await.get_stream(STREAM).await.unwrap();
    stream.purge().await.unwrap();
    assert_eq!(listing(&mut changes).await, (true, map(&[])));
    records.put("a", "1", Some(0)).await.unwrap();
    assert!(matches!(next(&mut changes).await, RecordChange::Put { key, .. } if key == "a"));
}

#[tokio::test]
async fn one_record_taken_out_behind_the_scenes_is_noticed() {
    let scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    records.put("a", "1", None).await.unwrap();
    records.put("b", "2", None).await.unwrap();
    let mut changes = records.watch().await.unwrap();
    listing(&mut changes).await;
    let stream = admin(&scene).await.get_stream(STREAM).await.unwrap();
    stream.purge().filter("$KV.wattle_shop_records.a").await.unwrap();
    assert_eq!(listing(&mut changes).await, (true, map(&[("b", "2")])));
}

#[tokio::test]
async fn a_deleted_bucket_is_made_again_by_who_watches() {
    let scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    records.put("a", "1", None).await.unwrap();
    let mut changes = records.watch().await.unwrap();
    listing(&mut changes).await;
    admin(&scene).await.delete_stream(STREAM).await.unwrap();
    assert_eq!(listing(&mut changes).await, (true, map(&[])));
    records.put("a", "1", Some(0)).await.unwrap();
    assert!(matches!(next(&mut changes).await, RecordChange::Put { key, .. } if key == "a"));
}

#[tokio::test]
async fn a_deleted_bucket_is_made_again_by_who_puts_and_gets() {
    let scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    let jetstream = admin(&scene).await;
    jetstream.delete_stream(STREAM).await.unwrap();
    records.put("a", "1", None).await.unwrap();
    jetstream.delete_stream(STREAM).await.unwrap();
    assert_eq!(records.get("a").await.unwrap(), None);
    jetstream.delete_stream(STREAM).await.unwrap();
    assert_eq!(records.all().await.unwrap(), []);
}

#[tokio::test]
async fn a_bucket_that_an_operator_made_is_used_as_it_is() {
    let scene = Scene::start().await;
    let bucket = "wattle_shop_records".to_owned();
    let config = async_nats::jetstream::kv::Config { bucket, history: 5, ..Default::default() };
    admin(&scene).await.create_key_value(config).await.unwrap();
    let records = scene.connect().await.records().await.unwrap();
    for number in 0..4 {
        records.put("a", &number.to_string(), None).await.unwrap();
    }
    let mut changes = records.watch().await.unwrap();
    assert_eq!(listing(&mut changes).await, (false, map(&[("a", "3")])));
}

#[tokio::test]
async fn records_survive_a_killed_server_and_are_listed_again() {
    let mut scene = Scene::start().await;
    let lattice = scene.connect().await;
    let records = lattice.records().await.unwrap();
    let mut changes = records.watch().await.unwrap();
    listing(&mut changes).await;
    for round in 0..3 {
        let token = round.to_string();
        records.put("a", &token, None).await.unwrap();
        scene.nats.kill().await;
        until_connected(&lattice, false).await;
        scene.nats.restart().await.unwrap();
        let back = Instant::now();
        assert_eq!(records.get("a").await.unwrap().unwrap().0, token);
        let told = eventually_listed(&mut changes, &map(&[("a", &token)])).await;
        assert!(!told, "the bucket is the same");
        assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
    }
}

/// Skips listings that were overtaken.
async fn eventually_listed(
    changes: &mut (impl Stream<Item = RecordChange> + Unpin),
    wanted: &BTreeMap<String, String>,
) -> bool {
    loop {
        let (replaced, listed) = listing(changes).await;
        if listed == *wanted {
            return replaced;
        }
    }
}

#[tokio::test]
async fn what_a_killed_server_was_asked_does_not_wait_for_its_answer() {
    let mut scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    records.put("a", "1", None).await.unwrap();
    let pid = rustix::process::Pid::from_raw(scene.nats.pid().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    let (get, put) = (records.get("a"), records.put("a", "2", None));
    let crash = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        scene.nats.restart().await.unwrap();
        Instant::now()
    };
    let (got, put, back) = tokio::join!(get, put, crash);
    assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
    assert!(got.unwrap().is_some());
    assert_eq!(put, Err(RecordsError::Store(StoreError::Interrupted)));
}

#[tokio::test]
async fn without_nats_records_fail_typed_and_soon() {
    let mut scene = Scene::start().await;
    let lattice = scene.connect().await;
    let records = lattice.records().await.unwrap();
    scene.nats.kill().await;
    until_connected(&lattice, false).await;
    let started = Instant::now();
    let disconnected = RecordsError::Store(StoreError::Disconnected);
    assert_eq!(records.get("a").await, Err(disconnected.clone()));
    assert_eq!(records.put("a", "1", None).await, Err(disconnected));
    assert!(started.elapsed() < Duration::from_secs(6));
}

#[tokio::test]
async fn who_watches_without_nats_is_told_when_it_comes() {
    let mut scene = Scene::start().await;
    let records = scene.connect().await.records().await.unwrap();
    records.put("a", "1", None).await.unwrap();
    scene.nats.kill().await;
    let mut changes = records.watch().await.unwrap();
    scene.nats.restart().await.unwrap();
    assert_eq!(listing(&mut changes).await, (false, map(&[("a", "1")])));
}
