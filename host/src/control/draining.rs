//! Having calls answered elsewhere, while this host goes on.

use wattle_core::{
    control::{Failure, FailureKind, Outcome},
    entity::Party,
};

use super::{Control, actors::done};
use crate::{
    placement,
    registry::{View, identity_of_actor, identity_of_provider},
};

impl Control {
    /// Other hosts are told that nothing runs here, and calls of this host go to others that run the same. What is under way
    /// finishes.
    pub(super) async fn drain_host(&self, force: bool, undo: bool) -> Result<Outcome, Failure> {
        let is_preferred = !undo;
        if self.is_leaving() == is_preferred {
            return Ok(done(true, self.drained_text(is_preferred)));
        }
        if is_preferred && !force {
            self.check_elsewhere()?;
        }
        self.router.elsewhere().prefer(is_preferred);
        placement::tell(self).await;
        Ok(done(false, self.drained_text(is_preferred)))
    }

    fn drained_text(&self, drained: bool) -> String {
        let name = &self.name;
        if drained {
            let under_way: u32 = self
                .registry
                .look(|view| view.actors.values().map(|running| running.actor.gate.inside()).sum());
            format!("{name} has its calls answered elsewhere; {under_way} under way here finish")
        } else {
            format!("{name} takes calls of other hosts")
        }
    }

    /// What only this host runs would be out of reach for others.
    fn check_elsewhere(&self) -> Result<(), Failure> {
        let routes = self.router.routes();
        let here = self.registry.look(parties);
        let only_here: Vec<String> = here
            .iter()
            .filter(|party| routes.hosts_of(party).next().is_none())
            .map(|party| party.id.to_string())
            .collect();
        if only_here.is_empty() {
            return Ok(());
        }
        let text = format!("only host {} runs {}", self.name, only_here.join(", "));
        Err(Failure::new(FailureKind::Conflict, text).with_next(format!(
            "start it on another host too, or: wattle drain {} --force",
            self.name
        )))
    }
}

fn parties(view: &View<'_>) -> Vec<Party> {
    let actors = view.actors.iter().map(|(id, running)| Party {
        id: id.clone(),
        identity: identity_of_actor(&running.claims),
    });
    let providers = view.providers.iter().map(|(id, running)| Party {
        id: id.clone(),
        identity: identity_of_provider(&running.claims),
    });
    actors.chain(providers).collect()
}
