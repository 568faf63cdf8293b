//! The provider in its own processes, with test hosts that give out leases, and actors that the tests play.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};
use wattle_core::codec;
use wattle_schedule::{HANDLER, OnTime, Outcome, Tick};
use wattle_sdk::{
    CallError, ErrorKind, IncomingCall, LinkGrant, Reply, Side,
    test_host::{Actor, Launch, Leases, Settings, TestHost, actor, grant},
};

/// How long what has to come may take on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

fn launch() -> Launch {
    Launch::new(env!("CARGO_BIN_EXE_wattle-timer"))
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn tick_of(call: &IncomingCall) -> Tick {
    assert_eq!((&*call.interface, &*call.function), (HANDLER, "on-time"));
    let OnTime { tick } = codec::decode(&call.params, 1_000).expect("a tick");
    tick
}

fn reply(outcome: &Outcome) -> Result<Reply, CallError> {
    Ok(Reply::new(codec::encode(outcome)))
}

/// An actor that does at once what there is to do, and the ticks that it was given.
fn prompt() -> (Actor, mpsc::Receiver<Tick>) {
    answering(|_| reply(&Ok(())))
}

/// One that answers so.
fn answering(
    answer: impl Fn(&Tick) -> Result<Reply, CallError> + Send + Sync + 'static,
) -> (Actor, mpsc::Receiver<Tick>) {
    let (given, ticks) = mpsc::channel(1_000);
    let answer = Arc::new(answer);
    let actor = actor(move |call| {
        let tick = tick_of(&call);
        let answered = answer(&tick);
        given.try_send(tick).expect("somebody takes them");
        async move { answered }
    });
    (actor, ticks)
}

/// One that says an error to so many attempts of the first tick.
fn refusing_the_first(attempts: u32) -> (Actor, mpsc::Receiver<Tick>) {
    let first = Mutex::new(None::<u64>);
    answering(move |tick| {
        let first_due = *first.lock().expect("nobody panics").get_or_insert(tick.due);
        let refused = tick.due == first_due && tick.attempt <= attempts;
        reply(&if refused { Err("not yet".to_owned()) } else { Ok(()) })
    })
}

/// The next one of this schedule.
async fn next_of(schedule: &str, ticks: &mut mpsc::Receiver<Tick>) -> Tick {
    loop {
        let tick = next(ticks).await;
        if tick.schedule == schedule {
            return tick;
        }
    }
}

async fn next(ticks: &mut mpsc::Receiver<Tick>) -> Tick {
    timeout(PATIENCE, ticks.recv()).await.expect("a tick").expect("the actor is there")
}

#[tokio::test]
async fn ticks_come_when_they_are_due_by_name_and_each_once() {
    let host = TestHost::start(launch()).await;
    let (actor, mut ticks) = prompt();
    let lines = settings(&[("schedules", "second = * * * * * *\nother = every 2s")]);
    host.link_to_actor(&[HANDLER], lines, actor).await.expect("it holds");
    let mut last = [0_u64; 2];
    for _ in 0..6 {
        let tick = next(&mut ticks).await;
        let (index, step) = if tick.schedule == "second" { (0, 1_000) } else { (1, 2_000) };
        assert_eq!((tick.attempt, tick.due % step), (1, 0), "{tick:?}");
        let expected = last[index] + step * (1 + u64::from(tick.missed));
        assert!(last[index] == 0 || tick.due == expected, "{tick:?} after {last:?}");
        last[index] = tick.due;
    }
    assert!(last[0] > 0 && last[1] > 0, "{last:?}");
}

#[tokio::test]
async fn of_two_hosts_one_calls_and_the_other_goes_on_when_it_dies() {
    let leases = Leases::default();
    let (actor, mut ticks) = prompt();
    let mut hosts = Vec::new();
    for _ in 0..2 {
        let host = TestHost::start(launch().leases(&leases)).await;
        let link = settings(&[("every", "1s"), ("missed", "all")]);
        host.link_to_actor(&[HANDLER], link, actor.clone()).await.expect("it holds");
        hosts.push(host);
    }
    let mut due = Vec::new();
    for count in 0..9 {
        if count == 3 {
            hosts[0].kill().await;
        }
        if count == 6 {
            leases.pass_on(1, "timers"); // nobody else wants it: the same host gets it again
        }
        due.push(next(&mut ticks).await.due);
    }
    let steps: Vec<u64> = due.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // One may have been noted and not yet called when its host died.
    let holes = steps.iter().filter(|step| **step != 1_000).collect::<Vec<_>>();
    assert!(holes.is_empty() || holes == [&2_000], "{steps:?}");
}

#[tokio::test]
async fn where_a_lease_is_lost_only_a_schedule_whose_tick_is_under_way_waits_for_it() {
    let leases = Leases::default();
    let host = TestHost::start(launch().leases(&leases)).await;
    let (given, mut ticks) = mpsc::channel(1_000);
    let (ends, end) = watch::channel(false);
    let slow_and_quick = actor(move |call| {
        let (tick, mut end) = (tick_of(&call), end.clone());
        let is_slow = tick.schedule == "slow";
        given.try_send(tick).expect("somebody takes them");
        async move {
            if is_slow {
                end.wait_for(|ended| *ended).await.expect("the test goes on");
            }
            reply(&Ok(()))
        }
    });
    let lines = "slow = every 1s\nquick = every 1s";
    let link = settings(&[("schedules", lines), ("timeout_ms", "3600000")]);
    let link = host.link_to_actor(&[HANDLER], link, slow_and_quick).await.expect("it holds");
    let slow = next_of("slow", &mut ticks).await;
    leases.pass_on(link, "timers"); // nobody else wants it: the same host gets it again
    for _ in 0..3 {
        assert_eq!(next(&mut ticks).await.schedule, "quick", "the other still has its tick");
    }
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set");
    ends.send_replace(true);
    let then = next_of("slow", &mut ticks).await;
    assert_eq!((then.attempt, then.due - slow.due), (1, 1_000 * (1 + u64::from(then.missed))));
    assert!(u128::from(then.due) > since_1970.as_millis(), "what fell due meanwhile is left out");
}

#[tokio::test]
async fn a_tick_that_was_refused_does_not_come_again_after_another_host_s_newer_ones() {
    let leases = Leases::default();
    let (actor, mut ticks) = refusing_the_first(u32::MAX);
    let mut hosts = Vec::new();
    for _ in 0..2 {
        let host = TestHost::start(launch().leases(&leases)).await;
        let link = settings(&[("every", "1s"), ("backoff_ms", "2000")]);
        host.link_to_actor(&[HANDLER], link, actor.clone()).await.expect("it holds");
        hosts.push(host);
    }
    let mut last = next(&mut ticks).await;
    leases.pass_on(1, "timers");
    for _ in 0..5 {
        let tick = next(&mut ticks).await;
        assert!(tick.due > last.due && tick.attempt == 1, "{tick:?} after {last:?}");
        last = tick;
    }
    let logged = hosts[0].logged() + &hosts[1].logged();
    assert!(logged.contains("the lease is lost"), "{logged}");
}

#[tokio::test]
async fn a_tick_that_was_refused_comes_again_where_the_same_host_has_the_lease_again() {
    let leases = Leases::default();
    let host = TestHost::start(launch().leases(&leases)).await;
    let (actor, mut ticks) = refusing_the_first(2);
    let link = settings(&[("every", "1s"), ("backoff_ms", "1500")]);
    let link = host.link_to_actor(&[HANDLER], link, actor).await.expect("it holds");
    let first = next(&mut ticks).await;
    for attempt in 2..=3 {
        leases.pass_on(link, "timers");
        assert_eq!(next(&mut ticks).await, Tick { attempt, ..first.clone() });
    }
    let then = next(&mut ticks).await;
    assert!(then.due > first.due && then.attempt == 1, "{then:?} after {first:?}");
}

#[tokio::test]
async fn what_fails_comes_again_and_what_may_have_run_does_not() {
    let host = TestHost::start(launch()).await;
    let first = Mutex::new(None::<u64>);
    let (actor, mut ticks) = answering(move |tick| {
        let first_due = *first.lock().expect("nobody panics").get_or_insert(tick.due);
        match (tick.due - first_due, tick.attempt) {
            (0, 1) => reply(&Err("not yet".to_owned())),
            (0, _) => reply(&Ok(())),
            _ => Err(CallError::new(ErrorKind::Interrupted, "lost under way")),
        }
    });
    let link = settings(&[("every", "1s"), ("backoff_ms", "10")]);
    host.link_to_actor(&[HANDLER], link, actor).await.expect("it holds");
    let (first, again) = (next(&mut ticks).await, next(&mut ticks).await);
    assert_eq!(again, Tick { attempt: 2, ..first.clone() });
    let (lost, then) = (next(&mut ticks).await, next(&mut ticks).await);
    assert!(first.due < lost.due && lost.due < then.due, "{first:?} {lost:?} {then:?}");
    assert_eq!((lost.attempt, then.attempt), (1, 1));
    assert!(host.logged().contains("lost under way"), "{}", host.logged());
}

#[tokio::test]
async fn what_did_not_reach_the_actor_is_handed_over_again_as_the_same_attempt() {
    let host = TestHost::start(launch()).await;
    let calls = Mutex::new(0);
    let (actor, mut ticks) = answering(move |_| {
        let mut calls = calls.lock().expect("nobody panics");
        *calls += 1;
        if *calls < 3 {
            return Err(CallError::new(ErrorKind::Overloaded, "full"));
        }
        reply(&Ok(()))
    });
    let link = settings(&[("every", "1h"), ("missed", "latest")]);
    let number = host.link_to_actor(&[HANDLER], link, actor.clone()).await.expect("it holds");
    assert!(timeout(Duration::from_millis(300), ticks.recv()).await.is_err(), "not due yet");
    // Another schedule begins anew, at the same number.
    let again = LinkGrant {
        config: settings(&[("every", "1s")]),
        ..grant(number, Side::Source, &[HANDLER])
    };
    host.put(again).await.expect("it holds");
    let three = [next(&mut ticks).await, next(&mut ticks).await, next(&mut ticks).await];
    assert_eq!([&three[0], &three[0]], [&three[1], &three[2]]);
    host.delete(number).await;
}

#[tokio::test]
async fn what_falls_due_meanwhile_is_left_out_and_counted_or_queued() {
    for (overlap, missed) in [("skip", 2), ("queue", 0)] {
        let host = TestHost::start(launch()).await;
        let (given, mut ticks) = mpsc::channel(1_000);
        let slow = actor(move |call| {
            let first = given.max_capacity() == given.capacity();
            given.try_send(tick_of(&call)).expect("somebody takes them");
            async move {
                if first {
                    tokio::time::sleep(Duration::from_millis(2_500)).await;
                }
                reply(&Ok(()))
            }
        });
        let link = settings(&[("every", "1s"), ("overlap", overlap)]);
        host.link_to_actor(&[HANDLER], link, slow).await.expect("it holds");
        // The first stays in the channel until the second is there: only then is the actor quick.
        let both = async {
            while ticks.len() < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, both).await.expect("two ticks");
        let (first, second) = (next(&mut ticks).await, next(&mut ticks).await);
        let fits =
            if overlap == "skip" { second.missed >= missed } else { second.missed == missed };
        assert!(fits, "{overlap}: {first:?} {second:?}");
        assert_eq!(second.due - first.due, 1_000 * (1 + u64::from(second.missed)));
    }
}

#[tokio::test]
async fn a_drain_waits_for_the_actor_and_nothing_comes_after_it() {
    let host = TestHost::start(launch()).await;
    let (begun, mut begins) = mpsc::channel(10);
    let ended = Arc::new(Mutex::new(None));
    let ends = Arc::clone(&ended);
    let slow = actor(move |_| {
        let (begun, ends) = (begun.clone(), Arc::clone(&ends));
        async move {
            begun.try_send(()).expect("there is room");
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            ends.lock().expect("nobody panics").replace(Instant::now());
            reply(&Ok(()))
        }
    });
    host.link_to_actor(&[HANDLER], settings(&[("every", "1s")]), slow).await.expect("it holds");
    timeout(PATIENCE, begins.recv()).await.expect("a tick");
    host.drain().await;
    assert!(ended.lock().expect("nobody panics").is_some(), "drained before the actor was done");
    assert!(timeout(Duration::from_millis(1_500), begins.recv()).await.is_err(), "another tick");
}

#[tokio::test]
async fn a_link_that_makes_no_sense_is_refused_with_its_reason() {
    let host = TestHost::start(launch()).await;
    for (pairs, reason) in [
        (vec![], "setting schedule: when?"),
        (vec![("schedule", "61 * * * *")], "no cron expression"),
        (vec![("every", "1s"), ("retry", "3")], "setting retry: there is no such setting"),
        (vec![("every", "1s"), ("time_zone", "Berlin")], "IANA name"),
    ] {
        let refused = host.link_to_actor(&[HANDLER], settings(&pairs), prompt().0).await;
        let refused = refused.expect_err(reason);
        assert!(refused.contains(reason), "{refused}");
    }
    let called = host.link_to_provider(&[HANDLER], [].into(), [].into()).await;
    assert!(called.expect_err("it is not called").contains("it calls"));
    let own = TestHost::try_start(launch().set("schedule", "* * * * *")).await;
    assert!(own.expect_err("its links have them").contains("its links"));
}

#[tokio::test]
async fn the_links_of_one_provider_are_limited_and_the_next_is_told_so() {
    let host = TestHost::start(launch()).await;
    for _ in 0..wattle_core::provider::LEASES_MAX {
        let link = host.link_to_actor(&[HANDLER], settings(&[("every", "1d")]), prompt().0).await;
        link.expect("it holds");
    }
    let refused = host.link_to_actor(&[HANDLER], settings(&[("every", "1d")]), prompt().0).await;
    assert!(refused.expect_err("one too many").contains("64 leases"));
    host.delete(1).await;
    let next = host.link_to_actor(&[HANDLER], settings(&[("every", "1d")]), prompt().0).await;
    next.expect("there is room again");
}
