//! What runs stays where it runs, if that is as good.
//!
//! Where hosts belong to several shares, there are many ways to spread as evenly. Without this, the answer would depend on what runs
//! in ways that could send instances to and fro. With it each change makes the spread more even, so that changes come to an end.

use std::collections::BTreeMap;

use wattle_core::HostKey;

use super::{Candidates, Counts, Portion};

/// What runs now, if it satisfies every portion and is as even as what was found; else what was found.
pub(super) fn if_as_good(
    candidates: &Candidates<'_>,
    portions: &[Portion<'_>],
    found: Counts,
) -> Counts {
    let current: Counts = candidates
        .iter()
        .filter(|(_, candidate)| candidate.current > 0)
        .map(|(host, candidate)| ((*host).clone(), candidate.current))
        .collect();
    let wanted: u64 = portions.iter().map(|portion| u64::from(portion.count)).sum();
    if current == found
        || total(&current) != wanted
        || unevenness(&current) > unevenness(&found)
        || !has_room(candidates, &current)
        || !satisfies(portions, &current)
    {
        return found;
    }
    current
}

fn total(counts: &Counts) -> u64 {
    counts.values().copied().map(u64::from).sum()
}

/// The sum of the squares: of all ways to divide a number, an even one has the least.
fn unevenness(counts: &Counts) -> u64 {
    counts.values().map(|count| u64::from(*count).pow(2)).sum()
}

fn has_room(candidates: &Candidates<'_>, counts: &Counts) -> bool {
    counts.iter().all(|(host, count)| {
        candidates
            .get(host)
            .is_some_and(|candidate| candidate.room.as_ref().is_ok_and(|room| room >= count))
    })
}

/// Whether each portion can have its count out of these: a flow from portions to hosts, made larger as long as there is a way to.
fn satisfies(portions: &[Portion<'_>], counts: &Counts) -> bool {
    let mut flow: Vec<BTreeMap<&HostKey, u32>> = vec![BTreeMap::new(); portions.len()];
    let mut free = counts.clone();
    for index in 0..portions.len() {
        let mut missing = portions[index].count;
        while missing > 0 {
            let Some(way) = way(portions, &flow, &free, index) else { return false };
            missing -= push(&mut flow, &mut free, &way, missing);
        }
    }
    true
}

/// Steps from a portion to a host with something free: the portion takes from a host, whose former owner takes from the next.
type Way<'a> = Vec<(usize, &'a HostKey)>;

fn way<'a>(
    portions: &[Portion<'a>],
    flow: &[BTreeMap<&'a HostKey, u32>],
    free: &Counts,
    start: usize,
) -> Option<Way<'a>> {
    let mut reached: Vec<Option<(usize, &HostKey)>> = vec![None; portions.len()];
    let mut is_seen = vec![false; portions.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    is_seen[start] = true;
    while let Some(portion) = queue.pop_front() {
        for &host in &portions[portion].hosts {
            if free.get(host).is_some_and(|free| *free > 0) {
                return Some(back(&reached, portion, host));
            }
            for (owner, held) in flow.iter().enumerate() {
                if !is_seen[owner] && held.get(host).is_some_and(|held| *held > 0) {
                    is_seen[owner] = true;
                    reached[owner] = Some((portion, host));
                    queue.push_back(owner);
                }
            }
        }
    }
    None
}

/// The way that led to a portion, from its end.
fn back<'a>(
    reached: &[Option<(usize, &'a HostKey)>],
    portion: usize,
    host: &'a HostKey,
) -> Way<'a> {
    let mut way = vec![(portion, host)];
    let mut at = portion;
    while let Some((taker, host)) = reached[at] {
        way.push((taker, host));
        at = taker;
    }
    way
}

/// Lets as much flow along a way as its narrowest place allows.
fn push<'a>(
    flow: &mut [BTreeMap<&'a HostKey, u32>],
    free: &mut Counts,
    way: &Way<'a>,
    wanted: u32,
) -> u32 {
    // Each step but the first frees at its host what the step before took elsewhere.
    let narrowest = way.windows(2).map(|steps| {
        let (owner, host) = (steps[0].0, steps[1].1);
        flow[owner].get(host).copied().unwrap_or(0)
    });
    let end = free.get(way[0].1).copied().unwrap_or(0);
    let amount = narrowest.chain([end, wanted]).min().unwrap_or(0);
    if let Some(free) = free.get_mut(way[0].1) {
        *free -= amount;
    }
    for (index, &(portion, host)) in way.iter().enumerate() {
        *flow[portion].entry(host).or_default() += amount;
        if let Some(&(_, freed)) = way.get(index + 1)
            && let Some(held) = flow[portion].get_mut(freed)
        {
            *held -= amount;
        }
    }
    amount
}
