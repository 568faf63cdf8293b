//! What runs: inventories, and who stands behind an id.

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

    /// Who runs under these ids, as hosts say; both must run.
    pub(crate) async fn party(
        &self,
        inventories: &[Inventory],
        id: &EntityId,
    ) -> Result<Party, Problem> {
        identity(inventories, id)
            .map(|identity| Party { id: id.clone(), identity })
            .ok_or_else(|| nothing_runs_under(id, inventories))
    }
}

/// Who runs under an id.
fn identity(inventories: &[Inventory], id: &EntityId) -> Option<Identity> {
    everything(inventories).find(|(found, _)| *found == id).map(|(_, identity)| identity.clone())
}

fn everything(inventories: &[Inventory]) -> impl Iterator<Item = (&EntityId, &Identity)> {
    inventories.iter().flat_map(|inventory| {
        let actors = inventory.actors.iter().map(|actor| (&actor.id, &actor.identity));
        let providers = inventory.providers.iter();
        actors.chain(providers.map(|provider| (&provider.id, &provider.identity)))
    })
}

/// The problem that an id is not there, with those that are.
pub(crate) fn nothing_runs_under(id: &EntityId, inventories: &[Inventory]) -> Problem {
    let there: Vec<&str> = everything(inventories).map(|(id, _)| id.as_str()).collect();
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
    };
    anyhow::anyhow!("the host answered with {what}, which was not the question")
}
