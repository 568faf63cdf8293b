//! The life of one world: rough times, then calm, a loss, a return, and the end of all applications.

use std::{collections::BTreeMap, ops::AddAssign};

use rand::Rng as _;
use wattle_core::{EntityId, HostKey};
use wattle_wadm::{
    manifest::{Kind, Scaler},
    plan::{Artifact, Phase, Status},
};

use crate::{
    applications::{BY_HAND, id},
    world::World,
};

/// Steps of rough times: half a minute.
const ROUGH_STEPS: usize = 120;
/// Steps within which everything has to be as declared once it is calm: what failed is tried again within a minute, what got lost
/// has expired within half a one.
const CALM_STEPS_MAX: usize = 600;
/// Steps within which a reconciler hears of every host, and misses those that are gone.
const HEARD_STEPS: usize = 16;
/// Steps in which nothing may happen after that: flapping would.
const QUIET_STEPS: usize = 24;

/// What happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) commands: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) failed: u64,
    /// By hosts: of a deposed leader, or too late.
    pub(crate) refused: u64,
    pub(crate) crashes: u64,
    pub(crate) cuts: u64,
    pub(crate) left: u64,
    pub(crate) lies: u64,
    pub(crate) takeovers: u64,
    pub(crate) changes: u64,
}

impl Tally {
    /// Whether each kind of fault happened in a good part of the worlds.
    pub(crate) fn is_of_everything(&self, worlds: u64) -> bool {
        let Self {
            commands,
            lost,
            doubled,
            failed,
            refused,
            crashes,
            cuts,
            left,
            lies,
            takeovers,
            changes,
        } = *self;
        [commands, lost, doubled, failed, refused, crashes, cuts, left, lies, takeovers, changes]
            .iter()
            .all(|count| *count >= worlds / 5)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.commands += other.commands;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.failed += other.failed;
        self.refused += other.refused;
        self.crashes += other.crashes;
        self.cuts += other.cuts;
        self.left += other.left;
        self.lies += other.lies;
        self.takeovers += other.takeovers;
        self.changes += other.changes;
    }
}

pub(crate) fn one(seed: u64) -> Tally {
    let mut world = World::new(seed);
    for _ in 0..ROUGH_STEPS {
        world.step();
    }
    calm(&mut world);
    wait_for_canaries(&mut world);
    come_to_rest(&mut world, "after rough times");
    lose_one(&mut world);
    undeploy(&mut world);
    world.tally
}

/// Faults stop: everybody is up and honest, one reconciler leads.
fn calm(world: &mut World) {
    world.is_rough = false;
    for host in world.hosts.values_mut() {
        (host.is_up, host.is_cut, host.lie) = (true, false, None);
    }
    let leader = world.rng.random_range(0..2);
    world.elect(leader);
    world.leaders[leader].frozen_until_ms = 0;
    world.leaders[1 - leader].lease = None;
}

/// Steps until canaries are well and go no further, which is a rest, too. Then they are promoted.
fn wait_for_canaries(world: &mut World) {
    for _ in 0..HEARD_STEPS {
        world.step();
    }
    let (mut left, mut quiet) = (CALM_STEPS_MAX, 0);
    while quiet < QUIET_STEPS {
        let rounds = world.step();
        let is_at_rest = rounds.first().is_some_and(|round| {
            round.commands.is_empty()
                && round.again_ms.is_none()
                && round.unsettled == round.canaries
        });
        quiet = if is_at_rest { quiet + 1 } else { 0 };
        left -= 1;
        let running: Vec<_> = world.hosts.values().map(|host| &host.truth.running).collect();
        assert!(left > 0, "canaries do not come to rest: {rounds:?} with {running:?}");
    }
    world.desired.applications.values_mut().for_each(|application| application.canary = None);
}

/// Steps until all is as declared, then some in which nothing may happen.
fn come_to_rest(world: &mut World, when: &str) -> BTreeMap<EntityId, Status> {
    // Everybody has been heard by then.
    for _ in 0..HEARD_STEPS {
        world.step();
    }
    let mut left = CALM_STEPS_MAX;
    let status = loop {
        let rounds = world.step();
        if let Some(round) = rounds.first()
            && round.is_settled
            && round.again_ms.is_none()
            && is_as_declared(world, &round.status)
        {
            break round.status.clone();
        }
        left -= 1;
        if left == 0 {
            let running: Vec<_> = world.hosts.values().map(|host| &host.truth.running).collect();
            panic!("{when}, no rest: {rounds:#?} with {running:#?} and {:#?}", world.links);
        }
    };
    for _ in 0..QUIET_STEPS {
        for round in world.step() {
            assert!(round.commands.is_empty(), "{when}, it flaps: {:?}", round.commands);
        }
    }
    assert!(is_as_declared(world, &status), "{when}, it did not stay so");
    status
}

/// Whether that is true which the reconciler believes.
fn is_as_declared(world: &World, status: &BTreeMap<EntityId, Status>) -> bool {
    let has_places = status.iter().all(|(id, status)| {
        world.hosts.iter().all(|(key, host)| {
            let there = host.truth.running.get(id);
            let wanted = status.placement.hosts.get(key).copied().unwrap_or(0);
            let is_new = there.is_none_or(|there| there.artifact == artifact(world, id));
            let counts = there.map_or((0, 0), |there| (there.instances, there.ready));
            !host.is_up || (is_new && counts == (wanted, wanted))
        })
    });
    let nothing_else = world.hosts.values().filter(|host| host.is_up).all(|host| {
        let mut running = host.truth.running.keys();
        running.all(|id| status.contains_key(id) || id.as_str() == BY_HAND)
    });
    let is_deployed = |name| world.desired.applications[name].phase == Phase::Deployed;
    let has_links = world
        .desired
        .applications
        .iter()
        .filter(|(name, _)| is_deployed(name))
        .flat_map(|(_, application)| &application.links)
        .all(|(key, link)| {
            let reaches = |id| status.get(id).is_some_and(|status: &Status| status.ready > 0);
            world.links.contains_key(key) || (link.is_traffic && !reaches(&link.target))
        });
    let by_hand = world.hosts.values().all(|host| host.truth.running.contains_key(&id(BY_HAND)));
    has_places && nothing_else && has_links && by_hand
}

fn artifact(world: &World, id: &EntityId) -> Artifact {
    let mut applications = world.desired.applications.values();
    let component = applications.find_map(|application| application.components.get(id));
    component.expect("it is declared").artifact.clone()
}

/// A host dies; only what it ran is started elsewhere. It comes back, and all is as it was.
fn lose_one(world: &mut World) {
    let index = world.rng.random_range(0..world.hosts.len());
    let lost = world.hosts.keys().nth(index).expect("there is one").clone();
    let before = counts(world);
    world.hosts.get_mut(&lost).expect("it is there").is_up = false;
    let status = come_to_rest(world, "after a loss");
    for (id, Status { placement, .. }) in &status {
        let had =
            |host: &HostKey| before.get(host).and_then(|ran| ran.get(id)).copied().unwrap_or(0);
        let started: u32 =
            placement.hosts.iter().map(|(host, has)| has.saturating_sub(had(host))).sum();
        // Shares that others carry are spread anew when there are fewer of these.
        let is_carried = placement.shares.iter().any(|share| share.elsewhere > 0);
        assert!(
            started <= had(&lost) || (is_carried && had(&lost) > 0),
            "{id}: {started} were started for {} that were lost: {placement:?}",
            had(&lost)
        );
    }
    world.hosts.get_mut(&lost).expect("it is there").is_up = true;
    for _ in 0..20 {
        for _ in world.step() {
            check_surge(world);
        }
    }
    come_to_rest(world, "after a return");
}

/// What a host that is back adds to what took its place is taken away again, and nothing comes on top.
fn check_surge(world: &World) {
    for application in world.desired.applications.values() {
        for (id, component) in &application.components {
            let Scaler::Spread { instances, .. } = component.scaler else { continue };
            let instances = u32::from(instances);
            let surge = match component.kind {
                Kind::Actor => instances.div_ceil(4).max(1),
                Kind::Provider => 1,
            };
            let total: u32 = world
                .hosts
                .values()
                .filter_map(|host| host.truth.running.get(id))
                .map(|running| running.instances)
                .sum();
            assert!(total <= 2 * instances + surge, "{id}: {total} for {instances}");
        }
    }
}

fn undeploy(world: &mut World) {
    for application in world.desired.applications.values_mut() {
        application.phase = Phase::Undeployed;
    }
    come_to_rest(world, "after the end");
    assert!(world.links.is_empty(), "links are left: {:?}", world.links);
    let running = world.hosts.values().flat_map(|host| host.truth.running.keys());
    let left: Vec<&EntityId> = running.filter(|id| id.as_str() != BY_HAND).collect();
    assert!(left.is_empty(), "{left:?} still run");
}

fn counts(world: &World) -> BTreeMap<HostKey, BTreeMap<EntityId, u32>> {
    let of = |host: &crate::hosts::SimHost| {
        let running = host.truth.running.iter();
        running.map(|(id, running)| (id.clone(), running.instances)).collect()
    };
    world.hosts.iter().map(|(key, host)| (key.clone(), of(host))).collect()
}
