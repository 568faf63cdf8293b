//! How a scaler's instances are spread over hosts.
//!
//! Each share goes to hosts that have its labels, evenly, as much as they have room for, and what runs stays where it runs as far as
//! that allows. A share for which there is no host, or not enough room, is carried by the other shares' hosts: the manifest allows
//! them all, and instances that answer from another place are better than none.

mod even;
mod keep;

use std::collections::{BTreeMap, BTreeSet};

use wattle_core::HostKey;

use crate::manifest::{Scaler, Spread};

/// A host that something may be placed on, or why not.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) labels: &'a BTreeMap<String, String>,
    /// Instances that it has room for, those of the component that run there included; or why it takes none.
    pub(super) room: Result<u32, String>,
    /// Instances that run there now.
    pub(super) current: u32,
    /// Which hosts have been there longest: 0 before 1.
    pub(super) seniority: u32,
    /// Instances of everything else there: of two equal hosts the emptier one is taken.
    pub(super) load: u32,
    /// Whether it has the artifact.
    pub(super) is_cached: bool,
    /// Whether nothing is heard of it, or it is drained: a scaler that has so many on each host has none there to wait for.
    pub(super) is_away: bool,
}

pub(super) type Candidates<'a> = BTreeMap<&'a HostKey, Candidate<'a>>;

/// Instances by host.
pub(super) type Counts = BTreeMap<HostKey, u32>;

/// Where a component's instances go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Instances by host; hosts without are not there.
    pub hosts: Counts,
    /// What became of each share.
    pub shares: Vec<Share>,
}

/// What became of a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its name; of a scaler without shares, empty.
    pub name: String,
    /// Instances that it is to have.
    pub wanted: u32,
    /// Of these, on hosts that are its own.
    pub placed: u32,
    /// Of the rest, on hosts of other shares.
    pub elsewhere: u32,
    /// If any are not on its own hosts: why not, by host.
    pub why: BTreeMap<HostKey, String>,
}

/// Instances that have to go to some of these hosts.
struct Portion<'a> {
    count: u32,
    hosts: BTreeSet<&'a HostKey>,
}

/// Spreads a component's instances.
pub(super) fn place(scaler: &Scaler, candidates: &Candidates<'_>) -> Placement {
    match scaler {
        Scaler::Daemon { instances, spread } => daemon(u32::from(*instances), spread, candidates),
        Scaler::Spread { instances, spread } => shares(u32::from(*instances), spread, candidates),
    }
}

/// So many on each host that matches one of the shares.
fn daemon(instances: u32, spread: &[Spread], candidates: &Candidates<'_>) -> Placement {
    let mut placement = Placement::default();
    let mut looked_at = BTreeSet::new();
    for share in &or_all(spread) {
        let mut own = Share::new(share.name.clone(), 0);
        for (host, candidate) in candidates {
            let is_elsewhere = missing_label(share, candidate).is_some() || candidate.is_away;
            if is_elsewhere || !looked_at.insert(*host) {
                continue;
            }
            own.wanted += instances;
            match &candidate.room {
                Ok(room) if *room >= instances => {
                    own.placed += instances;
                    if instances > 0 {
                        placement.hosts.insert((*host).clone(), instances);
                    }
                }
                Ok(_) => drop(own.why.insert((*host).clone(), NO_ROOM.to_owned())),
                Err(reason) => drop(own.why.insert((*host).clone(), reason.clone())),
            }
        }
        placement.shares.push(own);
    }
    placement
}

fn shares(instances: u32, spread: &[Spread], candidates: &Candidates<'_>) -> Placement {
    let spread = or_all(spread);
    let weights: Vec<u32> = spread.iter().map(|share| share.weight).collect();
    let wanted = even::proportionally(instances, &weights);
    let fitting: Vec<BTreeSet<&HostKey>> =
        spread.iter().map(|share| fitting(share, candidates)).collect();
    let mut portions = Vec::new();
    let mut placing = Placing::new(candidates);

    // The pickiest share first: what it leaves, the others can have.
    let mut order: Vec<usize> = (0..spread.len()).collect();
    order.sort_by_key(|&index| fitting[index].len());
    let mut placed = vec![0; spread.len()];
    for &index in &order {
        placed[index] = placing.place(wanted[index], &fitting[index]);
        portions.push(Portion { count: placed[index], hosts: fitting[index].clone() });
    }
    let everywhere: BTreeSet<&HostKey> = fitting.iter().flatten().copied().collect();
    let mut elsewhere = vec![0; spread.len()];
    for &index in &order {
        elsewhere[index] = placing.place(wanted[index] - placed[index], &everywhere);
        portions.push(Portion { count: elsewhere[index], hosts: everywhere.clone() });
    }

    let shares = spread.iter().enumerate().map(|(index, share)| {
        let mut said = Share::new(share.name.clone(), wanted[index]);
        (said.placed, said.elsewhere) = (placed[index], elsewhere[index]);
        if said.placed < said.wanted {
            said.why = why(share, candidates);
        }
        said
    });
    let hosts = keep::if_as_good(candidates, &portions, placing.counts);
    Placement { hosts, shares: shares.collect() }
}

/// Instances that have a place, and the room that is left.
struct Placing<'a> {
    candidates: &'a Candidates<'a>,
    counts: Counts,
}

impl<'a> Placing<'a> {
    fn new(candidates: &'a Candidates<'a>) -> Self {
        Self { candidates, counts: Counts::new() }
    }

    /// Places as many as there is room for, and says how many that were.
    fn place(&mut self, count: u32, hosts: &BTreeSet<&HostKey>) -> u32 {
        if count == 0 {
            return 0;
        }
        let places: Vec<even::Place<'_>> = hosts
            .iter()
            .map(|&host| {
                let candidate = &self.candidates[host];
                let taken = self.counts.get(host).copied().unwrap_or(0);
                even::Place {
                    host,
                    room: candidate.room.as_ref().map_or(0, |room| room.saturating_sub(taken)),
                    runs: candidate.current.saturating_sub(taken),
                    seniority: candidate.seniority,
                    load: candidate.load.saturating_add(taken),
                    is_cached: candidate.is_cached,
                }
            })
            .collect();
        let mut placed = 0;
        for (host, count) in even::evenly(count, places) {
            placed += count;
            *self.counts.entry(host.clone()).or_default() += count;
        }
        placed
    }
}

const NO_ROOM: &str = "no room for as many instances";

/// A scaler without shares is one share of all hosts.
fn or_all(spread: &[Spread]) -> Vec<Spread> {
    if spread.is_empty() {
        let all = Spread { name: String::new(), requirements: BTreeMap::new(), weight: 1 };
        return vec![all];
    }
    spread.to_vec()
}

fn fitting<'a>(share: &Spread, candidates: &Candidates<'a>) -> BTreeSet<&'a HostKey> {
    let fits = candidates.iter().filter(|(_, candidate)| {
        candidate.room.as_ref().is_ok_and(|room| *room > 0)
            && missing_label(share, candidate).is_none()
    });
    fits.map(|(host, _)| *host).collect()
}

/// Why hosts have no more of a share.
fn why(share: &Spread, candidates: &Candidates<'_>) -> BTreeMap<HostKey, String> {
    let reasons = candidates.iter().map(|(host, candidate)| {
        let reason = match (missing_label(share, candidate), &candidate.room) {
            (Some(missing), _) => missing,
            (None, Err(reason)) => reason.clone(),
            (None, Ok(_)) => NO_ROOM.to_owned(),
        };
        ((*host).clone(), reason)
    });
    reasons.collect()
}

/// The first label that a host would have to have.
fn missing_label(share: &Spread, candidate: &Candidate<'_>) -> Option<String> {
    let (name, wanted) = share
        .requirements
        .iter()
        .find(|(name, wanted)| candidate.labels.get(*name) != Some(*wanted))?;
    Some(match candidate.labels.get(name) {
        None => format!("label {name}={wanted} missing"),
        Some(other) => format!("label {name}={other}, not {wanted}"),
    })
}

impl Share {
    fn new(name: String, wanted: u32) -> Self {
        Self { name, wanted, placed: 0, elsewhere: 0, why: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests;
