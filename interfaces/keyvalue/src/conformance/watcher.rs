//! What every provider of `watcher` must do. The suite changes a store over one link and plays the actors that are told of it.

use std::{future::Future, pin::pin, sync::Arc};

use futures::{
    StreamExt as _,
    channel::mpsc,
    future::{Either, select},
};
use wattle_core::{CallError, Constraints, ErrorKind, Operation, call::Call, codec};

use super::ok;
use crate::{
    Caller,
    limit::VALUE_LEN_MAX,
    operation,
    wire::{OnDelete, OnSet},
};

/// Changes that a check may be told of before it looks at them.
const TOLD_MAX: usize = 4_096;

/// What an actor is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// What it has now.
    pub value: Option<Vec<u8>>,
}

/// An actor that is told of changes.
pub type Actor = Arc<dyn Fn(Change) -> Result<(), CallError> + Send + Sync>;

impl Change {
    /// What a call to an actor tells it.
    ///
    /// # Panics
    /// It is no call of the contract's.
    pub fn read(interface: &str, function: &str, params: &[u8]) -> Self {
        let is = |operation: Operation| (operation.interface, operation.function);
        if (interface, function) == is(operation::ON_SET) {
            let OnSet { bucket, key, value } =
                codec::decode(params, params.len()).expect("the parameters of on-set");
            let value = Some(value.into_owned());
            return Self { bucket: bucket.into_owned(), key: key.into_owned(), value };
        }
        assert_eq!((interface, function), is(operation::ON_DELETE));
        let OnDelete { bucket, key } =
            codec::decode(params, params.len()).expect("the parameters of on-delete");
        Self { bucket: bucket.into_owned(), key: key.into_owned(), value: None }
    }
}

/// A provider and its store, as the suite uses them.
pub trait Stage {
    /// What carries the calls of the actors that change the store.
    type Call: Call;

    /// A link to the store.
    fn caller(&self) -> impl Future<Output = Caller<Self::Call>>;

    /// A link that tells `actor` of a bucket's keys with one of these prefixes. It listens when this returns.
    fn watch(
        &self,
        bucket: &str,
        prefixes: &[&str],
        constraints: Constraints,
        actor: Actor,
    ) -> impl Future<Output = ()>;

    /// Comes back when a step has taken so long that it will not end any more.
    fn too_long(&self) -> impl Future<Output = ()>;
}

/// Runs the whole suite.
pub async fn run(stage: &impl Stage) {
    let store = stage.caller().await;
    sees_what_is_set_and_deleted(stage, &store).await;
    sees_every_way_of_changing(stage, &store).await;
    sees_its_own_keys_only(stage, &store).await;
    ends_with_the_newest_value(stage, &store).await;
    tells_again_where_the_actor_failed(stage, &store).await;
    sees_long_values(stage, &store).await;
}

/// What an actor was told, in that order.
struct Seen(mpsc::Receiver<Change>);

impl Seen {
    fn by(
        answer: impl Fn(&Change) -> Result<(), CallError> + Send + Sync + 'static,
    ) -> (Actor, Self) {
        let (sender, receiver) = mpsc::channel(TOLD_MAX);
        let actor: Actor = Arc::new(move |change| {
            let answer = answer(&change);
            let _ = sender.clone().try_send(change); // the check may have seen enough
            answer
        });
        (actor, Self(receiver))
    }

    fn all() -> (Actor, Self) {
        Self::by(|_| Ok(()))
    }

    async fn next(&mut self, stage: &impl Stage) -> Change {
        match select(pin!(self.0.next()), pin!(stage.too_long())).await {
            Either::Left((change, _)) => change.expect("the link holds the actor"),
            Either::Right(_) => panic!("the actor is not told of a change"),
        }
    }

    /// What comes next must be this.
    async fn is_told(&mut self, stage: &impl Stage, bucket: &str, key: &str, value: Option<&str>) {
        let value = value.map(|value| value.as_bytes().to_vec());
        let told = Change { bucket: bucket.to_owned(), key: key.to_owned(), value };
        assert_eq!(self.next(stage).await, told);
    }
}

async fn sees_what_is_set_and_deleted<S: Stage>(stage: &S, store: &Caller<S::Call>) {
    let (actor, mut seen) = Seen::all();
    stage.watch("watched", &["k"], Constraints::new(), actor).await;
    ok("set", store.set("watched", "key", b"one")).await;
    seen.is_told(stage, "watched", "key", Some("one")).await;
    ok("set", store.set("watched", "key", b"two")).await;
    seen.is_told(stage, "watched", "key", Some("two")).await;
    ok("set", store.set("watched", "key", b"")).await;
    seen.is_told(stage, "watched", "key", Some("")).await;
    ok("delete", store.delete("watched", "key")).await;
    seen.is_told(stage, "watched", "key", None).await;
    ok("delete", store.delete("watched", "key")).await; // there is nothing to tell of
    ok("set", store.set("watched", "kept", b"three")).await;
    seen.is_told(stage, "watched", "kept", Some("three")).await;
}

async fn sees_every_way_of_changing<S: Stage>(stage: &S, store: &Caller<S::Call>) {
    let (actor, mut seen) = Seen::all();
    stage.watch("ways", &["*"], Constraints::new(), actor).await;
    ok("increment", store.increment("ways", "n", 41)).await;
    seen.is_told(stage, "ways", "n", Some("41")).await;
    ok("increment", store.increment("ways", "n", 1)).await;
    seen.is_told(stage, "ways", "n", Some("42")).await;
    let both = [("a", &b"1"[..]), ("b", &b"2"[..])];
    ok("set-many", store.set_many("ways", &both)).await;
    let mut told = [seen.next(stage).await.key, seen.next(stage).await.key];
    told.sort();
    assert_eq!(told, ["a", "b"]);
    ok("delete-many", store.delete_many("ways", &["a", "absent"])).await;
    seen.is_told(stage, "ways", "a", None).await;
}

async fn sees_its_own_keys_only<S: Stage>(stage: &S, store: &Caller<S::Call>) {
    let (actor, mut seen) = Seen::all();
    stage.watch("own", &["cart:", "odd*[a]?\\"], Constraints::new(), actor).await;
    let (narrow, mut narrowly_seen) = Seen::all();
    let only = Constraints::from([(crate::KEY_PREFIX.to_owned(), vec!["cart:7".to_owned()])]);
    stage.watch("own", &["cart:"], only, narrow).await;
    ok("set", store.set("other", "cart:1", b"x")).await;
    ok("set", store.set("default", "cart:1", b"x")).await;
    for key in ["car", "user:1", "a-cart:1", "odd", "oddly a!", "cart:1", "odd*[a]?\\!", "cart:7"] {
        ok("set", store.set("own", key, b"x")).await;
        if key.starts_with("cart:") || key.starts_with("odd*") {
            seen.is_told(stage, "own", key, Some("x")).await;
        }
    }
    narrowly_seen.is_told(stage, "own", "cart:7", Some("x")).await;
}

/// Whoever writes faster than its actor listens: each key is told of in its order, and last with what it has.
async fn ends_with_the_newest_value<S: Stage>(stage: &S, store: &Caller<S::Call>) {
    const ROUNDS: u64 = 100;
    let (actor, mut seen) = Seen::all();
    stage.watch("fast", &["*"], Constraints::new(), actor).await;
    for _ in 0..ROUNDS {
        for key in ["a", "b"] {
            ok("increment", store.increment("fast", key, 1)).await;
        }
    }
    let mut last = [("a", 0), ("b", 0)];
    while last.iter().any(|(_, last)| *last < ROUNDS) {
        let change = seen.next(stage).await;
        let text = String::from_utf8(change.value.expect("a value")).expect("a number");
        let number: u64 = text.parse().expect("a number");
        let (key, last) =
            last.iter_mut().find(|(key, _)| *key == change.key).expect("one of the two");
        // A change that was read with the one before is told of once more.
        assert!(*last <= number, "{key}: {number} after {last}");
        *last = number;
    }
}

async fn tells_again_where_the_actor_failed<S: Stage>(stage: &S, store: &Caller<S::Call>) {
    let left = std::sync::atomic::AtomicU32::new(2);
    let (actor, mut seen) = Seen::by(move |_| {
        let failing = left.fetch_update(
            std::sync::atomic::Ordering::SeqCst,
            std::sync::atomic::Ordering::SeqCst,
            |left| left.checked_sub(1),
        );
        match failing {
            Ok(_) => Err(CallError::new(ErrorKind::Trapped, "as the test wants it")),
            Err(_) => Ok(()),
        }
    });
    stage.watch("failing", &["*"], Constraints::new(), actor).await;
    ok("set", store.set("failing", "key", b"x")).await;
    for _attempt in 0..3 {
        seen.is_told(stage, "failing", "key", Some("x")).await;
    }
    ok("set", store.set("failing", "next", b"y")).await;
    seen.is_told(stage, "failing", "next", Some("y")).await;
}

async fn sees_long_values<S: Stage>(stage: &S, store: &Caller<S::Call>) {
    let (actor, mut seen) = Seen::all();
    stage.watch("long", &["*"], Constraints::new(), actor).await;
    let value = vec![7; VALUE_LEN_MAX];
    ok("set", store.set("long", "key", &value)).await;
    let told = seen.next(stage).await;
    assert!(told.value.as_deref() == Some(&value), "the whole value");
}
