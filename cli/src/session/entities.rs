//! What runs: inventories, and who stands behind an id.

use std::collections::BTreeSet;

use wattle_core::{
    EntityId, HostKey, Identity,
    control::{Command, Outcome},
    entity::Party,
    inventory::Inventory,
};

use super::Session;
use crate::{exit::Exit, problem::Problem};

impl Session {
    /// One host's inventory.
    pub(crate) async fn inventory(&self, host: &HostKey) -> anyhow::Result<Inventory> {
        match self.ask(host, Command::GetInventory).await? {
            Outcome::Inventory(inventory) => Ok(*inventory),
            other => Err(unexpected(&other)),
        }
    }

    /// The inventories of all hosts that are meant.
    pub(crate) async fn inventories(&self) -> anyhow::Result<Vec<Inventory>> {
        let hosts = self.hosts().await?;
        let asked = hosts.iter().map(|host| self.inventory(host));
        futures::future::try_join_all(asked).await
    }

    /// The inventories of the hosts that are meant, and where that is not `enough`, of all that there are: what another host started
    /// a moment ago those may not have heard of.
    pub(crate) async fn inventories_until(
        &self,
        enough: impl Fn(&[Inventory]) -> bool,
    ) -> anyhow::Result<Vec<Inventory>> {
        let mut inventories = self.inventories().await?;
        if !enough(&inventories) {
            let mut others = self.heard().await?;
            others.retain(|host, _| inventories.iter().all(|known| known.host != *host));
            let asked = others.keys().map(|host| self.inventory(host));
            // One that does not answer is no reason to know nothing of the rest.
            let answers = futures::future::join_all(asked).await;
            inventories.extend(answers.into_iter().filter_map(Result::ok));
        }
        Ok(inventories)
    }
}

/// Whether something is known to run under an id.
pub(crate) fn runs(inventories: &[Inventory], id: &EntityId) -> bool {
    identity(inventories, id).is_some()
}

/// Who runs under an id, as hosts say.
pub(crate) fn party(inventories: &[Inventory], id: &EntityId) -> Result<Party, Problem> {
    identity(inventories, id)
        .map(|identity| Party { id: id.clone(), identity })
        .ok_or_else(|| nothing_runs_under(id, inventories))
}

/// A host that runs a party.
pub(crate) fn host_of<'a>(inventories: &'a [Inventory], party: &'a Party) -> Option<&'a HostKey> {
    hosts_of(inventories, party).next()
}

/// All hosts that run a party: first those that say so themselves.
pub(crate) fn hosts_of<'a>(
    inventories: &'a [Inventory],
    party: &'a Party,
) -> impl Iterator<Item = &'a HostKey> {
    let runs = |id: &EntityId, identity: &Identity| *id == party.id && *identity == party.identity;
    let here = inventories.iter().filter(move |inventory| {
        inventory.actors.iter().any(|actor| runs(&actor.id, &actor.identity))
            || inventory.providers.iter().any(|provider| runs(&provider.id, &provider.identity))
    });
    let elsewhere = inventories.iter().flat_map(|inventory| &inventory.elsewhere);
    let elsewhere = elsewhere.filter(move |there| runs(&there.id, &there.identity));
    here.map(|inventory| &inventory.host).chain(elsewhere.map(|there| &there.host))
}

/// Who runs under an id.
fn identity(inventories: &[Inventory], id: &EntityId) -> Option<Identity> {
    everything(inventories).find(|(found, _)| *found == id).map(|(_, identity)| identity.clone())
}

fn everything(inventories: &[Inventory]) -> impl Iterator<Item = (&EntityId, &Identity)> {
    inventories.iter().flat_map(|inventory| {
        let actors = inventory.actors.iter().map(|actor| (&actor.id, &actor.identity));
        let providers = inventory.providers.iter();
        let providers = providers.map(|provider| (&provider.id, &provider.identity));
        let built_in = inventory.built_in.iter().map(|there| (&there.id, &there.identity));
        let elsewhere = inventory.elsewhere.iter().map(|there| (&there.id, &there.identity));
        actors.chain(providers).chain(built_in).chain(elsewhere)
    })
}

/// The problem that an id is not there, with those that are.
pub(crate) fn nothing_runs_under(id: &EntityId, inventories: &[Inventory]) -> Problem {
    let there: BTreeSet<&str> = everything(inventories).map(|(id, _)| id.as_str()).collect();
    let there: Vec<&str> = there.into_iter().collect();
    let there = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
    Problem::new(Exit::NotFound, format!("nothing runs as {id} (running: {there})"))
        .next(format!("wattle start actor FILE --id {id}, or wattle start provider NAME --id {id}"))
}

/// A host of another version may answer something else than was asked.
pub(crate) fn unexpected(outcome: &Outcome) -> anyhow::Error {
    let what = match outcome {
        Outcome::Done { .. } => "done",
        Outcome::Inventory(_) => "an inventory",
        Outcome::Links(_) => "links",
        Outcome::Config(_) => "config",
        Outcome::Reply(_) => "a reply",
        Outcome::Explanation(_) => "an explanation",
        Outcome::Logs(_) => "logs",
        Outcome::Trace(_) => "a trace",
        Outcome::Applications(_) => "applications",
        Outcome::Application(_) => "an application",
        Outcome::Deployment(_) => "a deployment",
        Outcome::History(_) => "a history",
        Outcome::Version(_) => "a version",
    };
    anyhow::anyhow!("the host answered with {what}, which was not the question")
}
