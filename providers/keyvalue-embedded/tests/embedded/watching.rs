//! Links that tell actors of changes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{sync::mpsc, time::timeout};
use wattle_core::{Constraints, link::Settings};
use wattle_keyvalue::conformance::watcher::{self, Actor, Stage as _};

use crate::{
    start,
    watched::{PATIENCE, Watched, watch},
};

#[tokio::test]
async fn keyvalue_embedded_keeps_wasi_keyvalue_watcher() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = start(dir.path()).await;
    let (target, source) = (Settings::new(), Settings::new());
    watcher::run(&Watched { host: &host, target, source }).await;
}

#[tokio::test]
async fn a_watch_that_cannot_hold_says_why() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = start(dir.path()).await;
    let quiet: Actor = Arc::new(|_| Ok(()));
    let put = |prefixes: &'static [&'static str], name: &str, value: &str| {
        let config = [(name.to_owned(), value.to_owned())].into();
        watch(&host, 1, Constraints::new(), config, ("default", prefixes), Arc::clone(&quiet))
    };
    for (prefixes, name, value, said) in [
        (&[][..], "store", "default", "watch"),
        (&["a"], "stored", "default", "stored"),
        (&["a"], "store", "../other", "store"),
        (&["a"], "max_deliver", "0", "max_deliver"),
    ] {
        let reason = put(prefixes, name, value).await.expect_err(said);
        assert!(reason.contains(said), "{reason}");
    }
    put(&["a"], "store", "default").await.expect("it holds");
}

/// Ten thousand keys wait, and the rest is dropped; what waits is told before a drain has ended.
#[tokio::test]
async fn an_actor_that_is_too_slow_misses_keys_and_a_drain_tells_all_that_wait() {
    const KEYS: usize = 12_000;
    let dir = tempfile::tempdir().expect("a folder");
    let host = start(dir.path()).await;
    let stage = Watched { host: &host, target: Settings::new(), source: Settings::new() };
    let store = stage.caller().await;
    let (told, go_on) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counts, goes_on) = (Arc::clone(&told), Arc::clone(&go_on));
    let slow: Actor = Arc::new(move |_| {
        if goes_on.load(Ordering::SeqCst) == 0 {
            let text = "not yet";
            return Err(wattle_core::CallError::new(wattle_core::ErrorKind::Overloaded, text));
        }
        counts.fetch_add(1, Ordering::SeqCst);
        Ok(())
    });
    stage.watch("many", &["*"], Constraints::new(), slow).await;
    let names: Vec<String> = (0..KEYS).map(|n| format!("key-{n}")).collect();
    for names in names.chunks(1_000) {
        let batch: Vec<_> = names.iter().map(|name| (name, "x")).collect();
        store.set_many("many", &batch).await.expect("written");
    }
    go_on.store(1, Ordering::SeqCst);
    host.drain().await;
    let told = told.load(Ordering::SeqCst);
    assert!((10_000..KEYS).contains(&told), "{told} of {KEYS}");
    let log = host.logged();
    assert!(log.contains("takes them too slowly"), "{log}");
}

#[tokio::test]
async fn a_link_put_again_watches_what_it_says_now_and_a_deleted_one_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let host = start(dir.path()).await;
    let stage = Watched { host: &host, target: Settings::new(), source: Settings::new() };
    let store = stage.caller().await;
    let (sender, mut seen) = mpsc::channel(100);
    let actor: Actor = Arc::new(move |change| {
        sender.try_send(change.key).expect("there is room");
        Ok(())
    });
    let number = host.next_link();
    for prefix in ["a", "b"] {
        let (actor, watched) = (Arc::clone(&actor), [prefix]);
        let put = watch(&host, number, [].into(), Settings::new(), ("default", &watched), actor);
        put.await.expect("it holds");
        for key in ["a", "b"] {
            store.set("default", key, b"x").await.expect("written");
        }
        let key = timeout(PATIENCE, seen.recv()).await.expect("in time");
        assert_eq!(key.as_deref(), Some(prefix));
    }
    host.delete(number).await;
    store.set("default", "b", b"x").await.expect("written");
    drop(actor);
    assert_eq!(timeout(PATIENCE, seen.recv()).await.expect("nobody holds the actor"), None);
}
