//! What is remembered between rounds.

use std::collections::BTreeSet;

use super::*;
use crate::{
    manifest::{Kind, Scaler},
    plan::{Application, Component, Host, Phase, Running},
};

fn host_key() -> HostKey {
    format!("N{}", "A".repeat(55)).parse().expect("a host's key")
}

fn id(index: usize) -> EntityId {
    format!("shop/part-{index}").parse().expect("an id")
}

fn version(of: u8) -> Artifact {
    let text = format!("sha256:{}", format!("{of:02x}").repeat(32));
    Artifact::Digest(text.parse().expect("a digest"))
}

/// An application of so many actors.
fn shop(parts: usize) -> Desired {
    let part = |index| {
        let scaler = Scaler::Spread { instances: 2, spread: Vec::new() };
        (id(index), Component { kind: Kind::Actor, artifact: version(1), scaler })
    };
    let application = Application {
        phase: Phase::Deployed,
        components: (0..parts).map(part).collect(),
        links: BTreeMap::new(),
        uses: BTreeSet::new(),
        canary: None,
    };
    Desired { applications: BTreeMap::from([("shop".parse().expect("a name"), application)]) }
}

/// One host that runs these, seen at this time.
fn seen(at_ms: u64, running: &[(EntityId, u32)]) -> Snapshot {
    let one = |(id, ready): &(EntityId, u32)| {
        let running =
            Running { kind: Kind::Actor, artifact: version(1), instances: 2, ready: *ready };
        (id.clone(), running)
    };
    let host = Host {
        name: "host".parse().expect("a name"),
        labels: BTreeMap::new(),
        state: HostState::Ready,
        seniority: 0,
        room: 1_000,
        cached: BTreeSet::new(),
        running: running.iter().map(one).collect(),
        refused: BTreeMap::new(),
    };
    Snapshot {
        observed: Observed { hosts: BTreeMap::from([(host_key(), host)]), links: BTreeMap::new() },
        hosts_at_ms: BTreeMap::from([(host_key(), at_ms)]),
        links_at_ms: at_ms,
    }
}

#[test]
fn what_is_under_way_is_not_said_again_before_a_fresh_snapshot_shows_what_came_of_it() {
    let (mut reconciler, desired) = (Reconciler::default(), shop(1));
    let Round { commands, is_settled, .. } = reconciler.round(0, &desired, &seen(0, &[]));
    assert_eq!((commands.len(), is_settled), (1, false));
    assert_eq!(reconciler.round(1, &desired, &seen(1, &[])).commands, []);

    reconciler.answered(10, 0, &commands[0], Ok(()));
    // The snapshot is from before the answer: it runs by now, and whether it answers is not known.
    let round = reconciler.round(11, &desired, &seen(9, &[]));
    assert_eq!((round.commands, round.status[&id(0)].ready), (Vec::new(), 0));
    let round = reconciler.round(12, &desired, &seen(12, &[(id(0), 2)]));
    assert!(round.is_settled, "{round:?}");
    // It was true, and is no longer: that is seen, too.
    assert_eq!(reconciler.round(20, &desired, &seen(20, &[])).commands, commands);
}

#[test]
fn what_a_lost_host_was_told_is_under_way_no_more() {
    let (mut reconciler, desired) = (Reconciler::default(), shop(1));
    let told = reconciler.round(0, &desired, &seen(0, &[])).commands;
    let mut lost = seen(0, &[]);
    lost.observed.hosts.get_mut(&host_key()).expect("it is there").state = HostState::Lost;
    let round = reconciler.round(1, &desired, &lost);
    assert!(round.unsettled.is_empty() && round.is_settled, "{round:?}");
    // When it is back, it is told again.
    assert_eq!(reconciler.round(2, &desired, &seen(2, &[])).commands, told);
}

#[test]
fn what_fails_is_tried_again_after_twice_the_time() {
    let (mut reconciler, mut desired) = (Reconciler::default(), shop(1));
    let mut now_ms = 0;
    for wait_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
        let Round { commands, .. } = reconciler.round(now_ms, &desired, &seen(now_ms, &[]));
        assert_eq!(commands.len(), 1, "at {now_ms}");
        reconciler.answered(now_ms, now_ms, &commands[0], Err("the disk is full".to_owned()));
        let round = reconciler.round(now_ms + wait_ms - 1, &desired, &seen(now_ms, &[]));
        assert_eq!((round.commands, round.again_ms), (Vec::new(), Some(now_ms + wait_ms)));
        let share = &round.status[&id(0)].placement.shares[0];
        assert_eq!((share.placed, share.why[&host_key()].as_str()), (0, "the disk is full"));
        now_ms += wait_ms;
    }
    // Another version has not failed yet.
    let shop = desired.applications.values_mut().next().expect("the shop");
    shop.components.get_mut(&id(0)).expect("the part").artifact = version(2);
    assert_eq!(reconciler.round(now_ms - 1, &desired, &seen(now_ms, &[])).commands.len(), 1);
}

#[test]
fn to_stop_what_has_failed_is_no_reason_to_try_it_again() {
    let (mut reconciler, desired) = (Reconciler::default(), shop(1));
    let run = reconciler.round(0, &desired, &seen(0, &[])).commands.remove(0);
    reconciler.answered(1, 0, &run, Err("it crashed".to_owned()));
    // It is there all the same, and is stopped.
    let stop = reconciler.round(2, &desired, &seen(2, &[(id(0), 0)])).commands.remove(0);
    assert!(matches!(stop, Command::Stop { .. }), "{stop}");
    reconciler.answered(3, 2, &stop, Ok(()));
    assert_eq!(reconciler.round(4, &desired, &seen(4, &[])).commands, []);
    assert_eq!(reconciler.round(1_001, &desired, &seen(1_001, &[])).commands, [run]);
}

#[test]
fn a_command_that_nobody_answers_has_failed_when_it_has_expired() {
    let (mut reconciler, desired) = (Reconciler::default(), shop(1));
    let sent = reconciler.round(0, &desired, &seen(0, &[])).commands;
    assert_eq!(reconciler.round(COMMAND_MS - 1, &desired, &seen(0, &[])).commands, []);
    let round = reconciler.round(COMMAND_MS, &desired, &seen(COMMAND_MS, &[]));
    let why = &round.status[&id(0)].placement.shares[0].why[&host_key()];
    assert_eq!((round.commands, why.as_str()), (Vec::new(), "no answer within 30 s"));
    // An answer after that says nothing new.
    reconciler.answered(COMMAND_MS + 1, 0, &sent[0], Ok(()));
    let at_ms = COMMAND_MS + BACKOFF_MS_MIN;
    assert_eq!(reconciler.round(at_ms, &desired, &seen(at_ms, &[])).commands, sent);
    // Nor does one that comes when the same has been said again.
    reconciler.answered(at_ms + 1, 0, &sent[0], Err("too late".to_owned()));
    assert_eq!(reconciler.round(at_ms + 2, &desired, &seen(at_ms + 2, &[])).commands, []);
    assert!(reconciler.failed.values().all(|failed| failed.reason != "too late"));
}

#[test]
fn a_host_starts_only_some_at_a_time() {
    let (mut reconciler, desired) = (Reconciler::default(), shop(10));
    let first = reconciler.round(0, &desired, &seen(0, &[])).commands;
    assert_eq!(first.len(), UNDER_WAY_OF_ONE_MAX);
    reconciler.answered(1, 0, &first[0], Ok(()));
    let next = reconciler.round(2, &desired, &seen(2, &[(id(0), 2)])).commands;
    assert_eq!(next.len(), 1);
    assert!(!first.contains(&next[0]));
}

#[test]
fn what_runs_without_answering_has_failed_in_the_end() {
    let (mut reconciler, desired) = (Reconciler::default(), shop(1));
    let silent = [(id(0), 0)];
    for now_ms in [0, 10_000, SILENT_MS_MAX - 1] {
        assert_eq!(reconciler.round(now_ms, &desired, &seen(now_ms, &silent)).commands, []);
    }
    let now_ms = SILENT_MS_MAX;
    let round = reconciler.round(now_ms, &desired, &seen(now_ms, &silent));
    let stop = Command::Stop { host: host_key(), id: id(0) };
    assert_eq!(round.commands, [stop]);
    let why = &round.status[&id(0)].placement.shares[0].why[&host_key()];
    assert_eq!(why, "it has not answered for 30 s");
}
