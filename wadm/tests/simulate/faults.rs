//! What goes wrong: everything that can, now and then.

use rand::Rng as _;
use wattle_core::HostKey;

use crate::{applications, world::World};

/// Hosts that a world ever has.
const HOSTS_MAX: u8 = 12;

/// The faults of one step.
pub(crate) fn some(world: &mut World) {
    if world.chance(3.0) {
        applications::change(&mut world.desired, &mut world.rng);
        world.tally.changes += 1;
    }
    if world.chance(2.0) && world.hosts_ever < HOSTS_MAX {
        world.join();
    }
    if world.chance(1.0) && world.hosts.len() > 1 {
        let gone = any(world);
        world.hosts.remove(&gone);
        world.tally.left += 1;
    }
    if world.chance(4.0) {
        let key = any(world);
        let keeps = world.chance(50.0);
        let host = world.hosts.get_mut(&key).expect("it is there");
        host.is_up = !host.is_up;
        world.tally.crashes += 1;
        // It comes back with what it ran, or with nothing but what it is for.
        if host.is_up && !keeps {
            host.truth.running.retain(|id, _| id.as_str() == applications::BY_HAND);
            host.starting.clear();
        }
    }
    if world.chance(4.0) {
        let key = any(world);
        let host = world.hosts.get_mut(&key).expect("it is there");
        host.is_cut = !host.is_cut;
        world.tally.cuts += 1;
    }
    if world.chance(3.0) {
        lie(world);
    }
    lead(world);
}

/// A host says that it runs something else than it does, or stops saying so.
fn lie(world: &mut World) {
    let key = any(world);
    let more = world.rng.random_range(0..5);
    let drops = world.chance(50.0);
    let host = world.hosts.get_mut(&key).expect("it is there");
    if host.lie.take().is_some() {
        return;
    }
    let mut lie = host.truth.running.clone();
    if drops {
        lie.pop_last();
    }
    for running in lie.values_mut() {
        running.instances += more;
        running.ready = running.instances;
    }
    host.lie = Some(lie);
    world.tally.lies += 1;
}

/// A reconciler stands still, or the other one takes over while this one still believes to lead.
fn lead(world: &mut World) {
    if world.chance(2.0) {
        let leader = world.rng.random_range(0..2);
        world.leaders[leader].frozen_until_ms = world.now_ms + world.rng.random_range(0..20_000);
    }
    if world.chance(2.0) {
        let (new, old) = if world.chance(50.0) { (0, 1) } else { (1, 0) };
        let notices_ms = world.now_ms + world.rng.random_range(0..15_000);
        world.elect(new);
        world.leaders[old].deposed_at_ms = Some(notices_ms);
        world.tally.takeovers += 1;
    }
}

fn any(world: &mut World) -> HostKey {
    let index = world.rng.random_range(0..world.hosts.len());
    world.hosts.keys().nth(index).expect("there is one").clone()
}
