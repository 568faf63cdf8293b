//! Links: those that actors need before those that bring traffic, and the other way round when they go.

use std::collections::BTreeMap;

use wattle_core::EntityId;

use super::{Command, Desired, Kept, Observed, Status};

/// Puts what is missing or says something else, deletes what should not be there.
pub(super) fn steps(
    desired: &Desired,
    observed: &Observed,
    kept: &Kept<'_>,
    status: &BTreeMap<EntityId, Status>,
) -> Vec<Command> {
    let mut commands = Vec::new();
    for (&key, &(application, link)) in &kept.links {
        let there = observed.links.get(key);
        if there.is_some_and(|there| there.content == link.content) {
            continue;
        }
        // A link that is there already brings traffic already.
        let may_come = there.is_some()
            || !link.is_traffic
            || (answers(status, &link.target) && is_linked(observed, kept, &link.target));
        if may_come {
            let application = application.clone();
            commands.push(Command::PutLink { application, key: key.clone() });
        }
    }
    for (key, there) in &observed.links {
        if kept.links.contains_key(key) || !desired.applications.contains_key(&there.application) {
            continue;
        }
        let brings_traffic_to = |id: &EntityId| {
            observed.links.iter().any(|(other, link)| {
                link.is_traffic && link.target == *id && !kept.links.contains_key(other)
            })
        };
        if there.is_traffic || !brings_traffic_to(&there.source) {
            let application = there.application.clone();
            commands.push(Command::DeleteLink { application, key: key.clone() });
        }
    }
    commands
}

fn answers(status: &BTreeMap<EntityId, Status>, id: &EntityId) -> bool {
    status.get(id).is_some_and(|status| status.ready > 0)
}

/// Whether everything that an actor calls itself may be called.
fn is_linked(observed: &Observed, kept: &Kept<'_>, id: &EntityId) -> bool {
    let mut own = kept.links.iter().filter(|(_, (_, link))| link.source == *id && !link.is_traffic);
    own.all(|(key, (_, link))| {
        observed.links.get(*key).is_some_and(|there| there.content == link.content)
    })
}
