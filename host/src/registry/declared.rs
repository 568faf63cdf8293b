//! What deployments declare, as far as this host knows them.

use std::collections::BTreeSet;

use wattle_claims::{DeploymentRecord, RecordKey, Verified};
use wattle_core::{
    AccountKey, Link, Name,
    deployment::{Deployment, Phase},
};

use crate::records::{Kept, RecordBook};

/// A link that a deployment has and that its rollout says holds.
pub(crate) struct Declared<'a> {
    /// As if it had a record of its own.
    pub(crate) key: RecordKey,
    pub(crate) link: &'a Link,
    pub(crate) deployment: &'a Verified<DeploymentRecord>,
}

/// The links of deployments that hold. One that a user put by hand stands in the place of a declared one of the same key.
pub(crate) fn links(records: &RecordBook) -> impl Iterator<Item = Declared<'_>> {
    records.iter().flat_map(move |(key, entry)| links_of(records, key, &entry.record))
}

fn links_of<'a>(records: &'a RecordBook, key: &RecordKey, kept: &'a Kept) -> Vec<Declared<'a>> {
    let (RecordKey::Deployment { account, application }, Kept::Deployment(deployment, links)) =
        (key, kept)
    else {
        return Vec::new();
    };
    let key = RecordKey::Rollout { account: account.clone(), application: application.clone() };
    let Some(Kept::Rollout(rollout)) = records.get(&key).map(|entry| &entry.record) else {
        return Vec::new();
    };
    let Some(rollout) = &rollout.body.value else { return Vec::new() };
    let held = links.iter().filter(|(content, _)| rollout.links.contains(content));
    let declared = held.map(|(_, link)| Declared {
        key: RecordKey::Link { account: account.clone(), key: link.key() },
        link,
        deployment,
    });
    // Of two versions of one link the rollout names one; a hostile one that names both gets the first.
    let mut seen = BTreeSet::new();
    declared
        .filter(|declared| !is_by_hand(records, &declared.key) && seen.insert(declared.key.clone()))
        .collect()
}

fn is_by_hand(records: &RecordBook, key: &RecordKey) -> bool {
    let kept = records.get(key).map(|entry| &entry.record);
    matches!(kept, Some(Kept::Link(record)) if record.body.value.is_some())
}

/// A deployment that holds; none where there is none, or it has ended.
pub(crate) fn deployment<'a>(
    records: &'a RecordBook,
    account: &AccountKey,
    application: &Name,
) -> Option<&'a Verified<DeploymentRecord>> {
    let key = RecordKey::Deployment { account: account.clone(), application: application.clone() };
    match &records.get(&key)?.record {
        Kept::Deployment(record, _) => Some(record),
        _ => None,
    }
}

/// Whether an application that is deployed uses something of this one, itself or over others that it uses.
pub(crate) fn is_used(records: &RecordBook, account: &AccountKey, application: &Name) -> bool {
    let deployments: Vec<&Deployment> = records
        .iter()
        .filter_map(|(_, entry)| match &entry.record {
            Kept::Deployment(record, _) if record.account() == account => {
                record.body.value.as_ref()
            }
            _ => None,
        })
        .collect();
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    loop {
        let keeps = |it: &&&Deployment| {
            it.phase == Phase::Deployed || kept.contains(it.application.as_str())
        };
        let versions = deployments.iter().filter(keeps).flat_map(|it| &it.versions);
        let used: BTreeSet<&str> = versions
            .flat_map(|version| &version.uses)
            .filter_map(wattle_core::EntityId::application)
            .collect();
        if used.is_subset(&kept) {
            return kept.contains(application.as_str());
        }
        kept.extend(used);
    }
}
