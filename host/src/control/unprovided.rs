//! What an actor imports and nothing provides yet: said when it starts, before its first call finds out.

use std::collections::BTreeMap;

use wattle_core::Interface;

use super::Control;
use crate::actors::{Actor, Need};

/// What a command exports, which the host never calls.
const COMMAND: &str = "wasi:cli/run";

impl Control {
    /// The actor takes calls; and what it lacks itself, with the command that helps: a line for each package and callee.
    pub(super) fn takes_calls(&self, actor: &Actor, how: &str) -> String {
        let routes = self.router.routes();
        let is_linked = |interface: &Interface| {
            let links = routes.edges().iter().map(|edge| &edge.link);
            links
                .filter(|link| link.source.id == actor.id)
                .any(|link| link.interfaces.contains(interface))
        };
        let mut lacking = BTreeMap::new();
        for need in actor.needs.iter().filter(|need| !is_linked(&need.interface)) {
            let callee = routes.callee_for(&actor.party, need.interface.as_str());
            let of_one: &mut Vec<&Need> =
                lacking.entry((need.interface.package(), callee)).or_default();
            of_one.push(need);
        }
        let mut text = format!("{} {how}", actor.id);
        if actor.exports.is_empty() {
            text.push_str("\nnothing can call it: it exports no interface");
        } else if actor.exports.iter().all(|export| export.as_str() == COMMAND) {
            text.push_str(&format!(
                "\nnothing calls it: {COMMAND} is for commands, not for actors"
            ));
        }
        for ((_, callee), needs) in lacking {
            let names: Vec<&str> = needs.iter().map(|need| need.name.as_str()).collect();
            let mut interfaces: Vec<&str> =
                needs.iter().map(|need| need.interface.as_str()).collect();
            interfaces.dedup(); // versions of one interface stand side by side
            let callee = callee.map_or("CALLEE", |id| id.as_str());
            text.push_str(&format!(
                "\nnothing provides {} to it yet: wattle link put {} {callee} {}",
                names.join(", "),
                actor.id,
                interfaces.join(",")
            ));
        }
        text
    }
}
