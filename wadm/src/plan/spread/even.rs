//! Numbers divided evenly, or in proportion.

use std::cmp::Reverse;

use wattle_core::HostKey;

/// A host as far as dividing is concerned.
pub(super) struct Place<'a> {
    pub(super) host: &'a HostKey,
    /// The most that it takes.
    pub(super) room: u32,
    /// What runs there already.
    pub(super) runs: u32,
    /// Which of those that run it have been there longest: 0 before 1.
    pub(super) seniority: u32,
    /// What else is there.
    pub(super) load: u32,
    pub(super) is_cached: bool,
}

impl<'a> Place<'a> {
    /// Of equal hosts those get one more that run more of it already, that have less else, that have the artifact, in this order. Where
    /// more runs than is to, who came back with what runs elsewhere by now does not take it away from there.
    fn rank(&self, is_surplus: bool) -> impl Ord + use<'a> {
        let seniority = if is_surplus && self.runs > 0 { self.seniority } else { 0 };
        (Reverse(self.runs), seniority, self.load, !self.is_cached, self.host)
    }
}

/// As even as their room allows.
pub(super) fn evenly<'a>(mut count: u32, mut places: Vec<Place<'a>>) -> Vec<(&'a HostKey, u32)> {
    let mut given = Vec::new();
    let is_surplus = places.iter().map(|place| place.runs).sum::<u32>() > count;
    // Those that are filled by less than an even part are full; the rest share what is left.
    places.sort_by_key(|place| Reverse(place.room));
    while let Some(last) = places.last() {
        let part = count / places.len() as u32;
        if last.room > part {
            break;
        }
        count -= last.room;
        given.push((last.host, last.room));
        places.pop();
    }
    if !places.is_empty() {
        let (part, more) = (count / places.len() as u32, count as usize % places.len());
        places.sort_by(|a, b| a.rank(is_surplus).cmp(&b.rank(is_surplus)));
        let parts = places.iter().enumerate();
        given.extend(parts.map(|(index, place)| (place.host, part + u32::from(index < more))));
    }
    given.retain(|(_, count)| *count > 0);
    given
}

/// In proportion to weights, to the whole of it: the largest remainders get what rounding leaves, the first ones of equal ones.
pub(super) fn proportionally(count: u32, weights: &[u32]) -> Vec<u32> {
    let sum: u64 = weights.iter().copied().map(u64::from).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let exact = |weight: &u32| u64::from(count) * u64::from(*weight);
    let mut parts: Vec<u32> = weights.iter().map(|weight| (exact(weight) / sum) as u32).collect();
    let left = count - parts.iter().sum::<u32>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&index| Reverse(exact(&weights[index]) % sum));
    for &index in order.iter().take(left as usize) {
        parts[index] += 1;
    }
    parts
}
