//! Between the words of the lattice and those of the planner.

use std::collections::BTreeMap;

use wattle_core::{
    AccountKey, EntityId, HostKey,
    app::ShareStatus,
    control::Scale,
    deployment::Kind,
    inventory::{Inventory, ProviderState},
};

use crate::plan::{Artifact, Observed, Running, Status};

/// What a host runs of an account's: what others call the same is theirs.
pub(crate) fn running(inventory: &Inventory, account: &AccountKey) -> BTreeMap<EntityId, Running> {
    let actors = inventory.actors.iter().filter(|actor| actor.identity.account == *account);
    let actors = actors.map(|actor| {
        let instances = match actor.scale {
            Scale::Stopped => 0,
            Scale::UpTo(calls) => u32::from(calls.get()),
        };
        let ready = if actor.denied.is_none() { instances } else { 0 };
        let artifact = Artifact::Digest(actor.program.unwrap_or(actor.artifact));
        (actor.id.clone(), Running { kind: Kind::Actor, artifact, instances, ready })
    });
    let providers = inventory.providers.iter();
    let providers = providers.filter(|provider| provider.identity.account == *account);
    let providers = providers.map(|provider| {
        let ready = u32::from(matches!(provider.state, ProviderState::Ready { .. }));
        let artifact = Artifact::Digest(provider.program.unwrap_or(provider.artifact));
        (provider.id.clone(), Running { kind: Kind::Provider, artifact, instances: 1, ready })
    });
    actors.chain(providers).collect()
}

/// Instances of a component that have no place, a line for each share.
pub(crate) fn no_place(id: &EntityId, status: &Status, observed: &Observed) -> Vec<String> {
    shares(status, observed).iter().filter_map(|share| share.problem(id)).collect()
}

/// What became of each share, with hosts by their friendly names.
pub(crate) fn shares(status: &Status, observed: &Observed) -> Vec<ShareStatus> {
    let name = |host: &HostKey| Some(observed.hosts.get(host)?.name.clone());
    let shares = status.placement.shares.iter().map(|share| ShareStatus {
        name: share.name.clone(),
        wanted: share.wanted,
        placed: share.placed,
        elsewhere: share.elsewhere,
        why: share.why.iter().filter_map(|(host, why)| Some((name(host)?, why.clone()))).collect(),
    });
    shares.collect()
}
