//! A hundred times killed and started again, under load; and one server's trouble beside another.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use wattle_blobstore::{Caller, Failure};
use wattle_core::{CallError, Constraints, ErrorKind};

use super::{
    Server, Store,
    beside::assert_not_slowed,
    get,
    link::{self, CLOSED_WITHIN, Link, PAUSE},
    put,
};

const ROUNDS: usize = 100;

const WRITERS: usize = 4;

/// What is promised for a server that is back. It counts for half of the rounds; one may meet a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// How soon anything may be expected on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// What its connections may come to beside those after ten rounds.
const FILES_SPARE: usize = WRITERS + 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_kills_under_load_lose_nothing_that_was_acknowledged_and_leak_nothing() {
    let mut store = Store::start().await;
    let caller = Arc::new(store.caller().await);
    caller.create_container("c-1").await.expect("made");
    let (count, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (caller, count, is_over) =
            (Arc::clone(&caller), Arc::clone(&count), Arc::clone(&is_over));
        writers.spawn(async move { write(writer, &caller, &count, &is_over).await });
    }
    let (mut back, mut files) = (Vec::with_capacity(ROUNDS), 0);
    for round in 0..ROUNDS {
        let before = count.load(Ordering::Relaxed);
        let written = async {
            while count.load(Ordering::Relaxed) <= before + WRITERS {
                sleep(PAUSE).await;
            }
        };
        timeout(SOON, written).await.expect("it takes what is written");
        store.server.kill();
        store.server.restart();
        let began = Instant::now();
        let served = async {
            while caller.has_object("c-1", "0-0").await.is_err() {
                sleep(PAUSE).await;
            }
        };
        timeout(SOON, served).await.expect("it serves again");
        back.push(began.elapsed());
        if round == 10 {
            files = store.host.open_files();
        }
    }
    is_over.store(true, Ordering::Relaxed);
    let acknowledged: Vec<String> = writers.join_all().await.into_iter().flatten().collect();
    back.sort();
    println!(
        "{} objects acknowledged in {ROUNDS} rounds; it serves {:?} after its return (median), {:?} at most",
        acknowledged.len(),
        back[ROUNDS / 2],
        back[ROUNDS - 1]
    );
    assert!(back[ROUNDS / 2] <= BACK_WITHIN, "{:?}", back[ROUNDS / 2]);
    for name in &acknowledged {
        assert_eq!(get(&caller, "c-1", name).await.as_ref(), Ok(name), "it was acknowledged");
    }
    let closed = async {
        while store.host.open_files() > files + FILES_SPARE {
            sleep(PAUSE).await;
        }
    };
    let closed = timeout(CLOSED_WITHIN, closed).await;
    closed.unwrap_or_else(|_| panic!("{files} became {}", store.host.open_files()));
}

/// Writes objects that contain their names, and gives those that were acknowledged.
async fn write(
    writer: usize,
    caller: &Caller<Link>,
    count: &AtomicUsize,
    is_over: &AtomicBool,
) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let (name, began) = (format!("{writer}-{n}"), Instant::now());
        match put(caller, "c-1", &name, &name).await {
            Ok(()) => {
                acknowledged.push(name);
                count.fetch_add(1, Ordering::Relaxed);
            }
            Err(Failure::Call(CallError {
                kind: ErrorKind::Failed | ErrorKind::DeadlineExceeded | ErrorKind::Overloaded,
                ..
            })) => sleep(PAUSE).await,
            Err(other) => panic!("{other:?}"),
        }
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_one_link_that_hangs_does_not_slow_another_s() {
    let store = Store::start().await;
    let quick = store.caller().await;
    quick.create_container("c-1").await.expect("made");
    put(&quick, "c-1", "kept", "x").await.expect("written");
    let other = Server::start();
    let stuck = link::caller(&store.host, Constraints::new(), other.settings()).await;
    let stuck = Arc::new(stuck);
    stuck.create_container("c-1").await.expect("made");
    other.freeze();
    let pile_up = async || {
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            let stuck = Arc::clone(&stuck);
            calls.spawn(async move { get(&stuck, "c-1", "kept").await.map(drop) });
        }
        calls
    };
    let call = async || {
        assert_eq!(get(&quick, "c-1", "kept").await.as_deref(), Ok("x"));
    };
    assert_not_slowed(call, pile_up).await;
}
