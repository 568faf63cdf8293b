//! The snapshot that calls see: every link judged, every callee at hand.

use std::{collections::HashMap, sync::Arc};

use wattle_claims::{RecordKey, Timestamp};
use wattle_core::{
    AccountKey, BuiltIn, CallError, EntityId, ErrorKind, HostKey, Link, Locality,
    control::Question,
    entity::Party,
    inventory::{Elsewhere, Explanation, Step},
};
use wattle_http::outgoing::{SEND, Scope, ScopeError};

use super::{
    edge::{Callee, Edge, OtherHost},
    grant::{Granted, Judgement, Known, judge},
};
use crate::actors::Actor;

/// Something that runs on another host, by what that host says and by claims that hold.
pub(crate) struct There {
    pub(crate) host: HostKey,
    pub(crate) known: Known,
    /// The host is on its way out: what runs there calls, and is called elsewhere.
    pub(crate) is_leaving: bool,
}

/// Who may call whom, at one moment.
#[derive(Default)]
pub(crate) struct Routes {
    edges: Vec<Arc<Edge>>,
    by_number: HashMap<u32, Arc<Edge>>,
    by_source: HashMap<EntityId, Vec<Arc<Edge>>>,
    steps: HashMap<u32, Vec<Step>>,
    known: HashMap<EntityId, Known>,
    placed: HashMap<EntityId, Vec<There>>,
    by_record: HashMap<Box<str>, Arc<Edge>>,
    actors: HashMap<EntityId, Arc<Actor>>,
}

impl Routes {
    /// The link that an actor's call takes: one of its own where there is one, and of those one of its own account.
    pub(super) fn edge_of_actor(
        &self,
        caller: &Party,
        interface: &str,
        link_name: &str,
    ) -> Option<Arc<Edge>> {
        let of_package = |edge: &&Arc<Edge>| {
            edge.link.name.as_str() == link_name
                && edge.link.interfaces.iter().any(|named| same_package(named.as_str(), interface))
        };
        let candidates = || self.by_source.get(&caller.id).into_iter().flatten().filter(of_package);
        // One that names the interface wins over one that only names another of its package, which then says why not.
        let names = |edge: &&Arc<Edge>| {
            edge.link.interfaces.iter().any(|named| named.as_str() == interface)
        };
        let is_own = |edge: &&Arc<Edge>| edge.link.source == *caller;
        let of_account = |edge: &&Arc<Edge>| edge.account == caller.identity.account;
        let of_those = |found: &dyn Fn(&&Arc<Edge>) -> bool| {
            candidates().find(|edge| names(edge) && found(edge))
        };
        of_those(&|edge| is_own(edge) && of_account(edge))
            .or_else(|| of_those(&is_own))
            .or_else(|| of_those(&|_| true))
            .or_else(|| candidates().next())
            .cloned()
    }

    /// Whom `caller` could be linked to on an interface: the one of its account that exports it, if there is one.
    pub(crate) fn callee_for(&self, caller: &Party, interface: &str) -> Option<&EntityId> {
        let exporters = self.known.values().filter(|known| {
            known.party.id != caller.id
                && known.party.identity.account == caller.identity.account
                && known.exports.iter().any(|export| export.as_str() == interface)
        });
        let mut exporters = exporters.map(|known| &known.party.id);
        exporters.next().filter(|_| exporters.next().is_none())
    }

    /// The link with this number.
    pub(super) fn edge_of_provider(&self, number: u32) -> Option<Arc<Edge>> {
        self.by_number.get(&number).cloned()
    }

    /// The link with this record.
    pub(super) fn edge_of_host(&self, record: &str) -> Option<Arc<Edge>> {
        self.by_record.get(record).cloned()
    }

    /// `party` as it runs on `host`.
    pub(super) fn on(&self, host: &HostKey, party: &Party) -> Option<&Known> {
        self.there(party).find(|there| there.host == *host).map(|there| &there.known)
    }

    /// The other hosts that run `party` and do not leave.
    pub(crate) fn hosts_of(&self, party: &Party) -> impl Iterator<Item = &HostKey> {
        self.there(party).filter(|there| !there.is_leaving).map(|there| &there.host)
    }

    /// `party` on every other host that runs it.
    pub(crate) fn there(&self, party: &Party) -> impl Iterator<Item = &There> {
        let placed = self.placed.get(&party.id).into_iter().flatten();
        placed.filter(|there| there.known.party == *party)
    }

    /// What runs on other hosts, so much of it.
    pub(crate) fn elsewhere(&self, most: usize) -> Vec<Elsewhere> {
        let placed = self.placed.values().flatten();
        let placed = placed.filter(|there| !there.known.party.identity.key.is_built_in());
        let mut all: Vec<Elsewhere> = placed
            .map(|There { host, known, .. }| {
                let Party { id, identity } = known.party.clone();
                Elsewhere { id, identity, host: host.clone() }
            })
            .collect();
        all.sort_by(|a, b| (&a.id, &a.host).cmp(&(&b.id, &b.host)));
        all.truncate(most);
        all
    }

    /// Who stands behind one end of a link: the party here, else wherever it runs, by claims that may differ from host to host. Where
    /// it runs nowhere, who has its id here.
    fn find(&self, party: &Party) -> Vec<&Known> {
        let here = self.known.get(&party.id);
        if let Some(known) = here.filter(|known| known.party == *party) {
            return vec![known];
        }
        let there: Vec<&Known> = self.there(party).map(|there| &there.known).collect();
        if there.is_empty() { here.into_iter().collect() } else { there }
    }

    /// Who runs here under `party`'s id, where that is somebody else.
    fn usurper(&self, party: &Party) -> Option<&Party> {
        self.known.get(&party.id).map(|known| &known.party).filter(|found| *found != party)
    }

    /// An actor that runs here and whose claims hold at `now`.
    pub(super) fn actor(&self, id: &EntityId, now: Timestamp) -> Result<Arc<Actor>, CallError> {
        let found = self.actors.get(id).zip(self.known.get(id));
        let (actor, known) = found.ok_or_else(|| {
            let text = if self.known.contains_key(id) {
                format!(
                    "{id} is a provider, which serves links: call an actor that is linked to it"
                )
            } else {
                let hosts: Vec<String> = self
                    .placed
                    .get(id)
                    .into_iter()
                    .flatten()
                    .map(|there| there.host.to_string())
                    .collect();
                match hosts.as_slice() {
                    [] => format!("no actor runs here as {id}"),
                    hosts => {
                        format!("{id} runs on {}: call it with that --host", hosts.join(" and "))
                    }
                }
            };
            CallError::new(ErrorKind::NotFound, text)
        })?;
        match known.validity.broken_at(now) {
            None => Ok(actor.clone()),
            Some(why) => {
                let text = format!("the claims of {}: {why}", known.party);
                Err(CallError::new(ErrorKind::Denied, text))
            }
        }
    }

    /// All links.
    pub(crate) fn edges(&self) -> &[Arc<Edge>] {
        &self.edges
    }

    /// The link that a question is about.
    pub(crate) fn edge_in_question(&self, question: &Question) -> Option<&Arc<Edge>> {
        let Question { caller, callee, interface, link_name } = question;
        self.edges.iter().find(|edge| {
            let Link { source, target, name, interfaces, .. } = &edge.link;
            source.id == *caller
                && target.id == *callee
                && name == link_name
                && interfaces.iter().any(|named| named.package() == interface.package())
        })
    }

    pub(super) fn explain(&self, question: &Question, now: Timestamp) -> Explanation {
        let Some(edge) = self.edge_in_question(question) else {
            return self.without_link(question);
        };
        let interface = &question.interface;
        let mut steps = self.steps.get(&edge.number).cloned().unwrap_or_default();
        match edge.check(interface.as_str(), now) {
            Ok(()) => Explanation { allowed: true, steps, next: None },
            Err(denial) => {
                if !steps.iter().any(|step| step.finding == denial.reason) {
                    steps.push(Step { holds: false, finding: denial.reason });
                }
                Explanation { allowed: false, steps, next: denial.next }
            }
        }
    }

    /// There is no link; what else would be missing is said with it.
    fn without_link(&self, question: &Question) -> Explanation {
        let Question { caller, callee, interface, link_name } = question;
        let mut steps = Vec::new();
        for (role, id) in [("caller", caller), ("callee", callee)] {
            let (here, there) = (self.known.get(id), self.placed.get(id).and_then(|p| p.first()));
            let finding = match (here, there) {
                (Some(known), _) => format!("{role} {} runs here", known.party),
                (None, Some(There { host, known, .. })) => {
                    format!("{role} {} runs on {host}", known.party)
                }
                (None, None) => format!("{role} {id} does not run on this host, nor on another"),
            };
            steps.push(Step { holds: here.is_some() || there.is_some(), finding });
        }
        let mut claims = |role: &str, listed: Option<bool>, verb: &str| {
            if let Some(holds) = listed {
                let verb = if holds { format!("{verb}s") } else { format!("does not {verb}") };
                steps.push(Step { holds, finding: format!("the {role} {verb} {interface}") });
            }
        };
        let anywhere = |id: &EntityId| {
            let placed = || self.placed.get(id)?.first().map(|there| &there.known);
            self.known.get(id).or_else(placed)
        };
        let imports = anywhere(caller).map(|known| known.imports.contains(interface));
        claims("caller", imports, "import");
        let exports = anywhere(callee).map(|known| known.exports.contains(interface));
        claims("callee", exports, "export");
        steps.push(Step {
            holds: false,
            finding: format!(
                "no link from {caller} to {callee} on {} (link {:?})",
                interface.package(),
                link_name.as_str()
            ),
        });
        // All of the package that the caller would need the link for, as there is one for each package.
        let needs = anywhere(caller).map_or(&[][..], |known| &known.imports);
        let answers = anywhere(callee).map_or(&[][..], |known| &known.exports);
        let both = needs.iter().filter(|named| {
            named.package() == interface.package()
                && answers.contains(named)
                && **named != *interface
        });
        let interfaces: Vec<&str> =
            [interface].into_iter().chain(both).map(|named| named.as_str()).collect();
        let interfaces = interfaces.join(",");
        let next = format!("wattle link put {caller} {callee} {interfaces} --name {link_name}");
        Explanation { allowed: false, steps, next: Some(next) }
    }
}

fn requests(link: &Link) -> Option<Result<Scope, ScopeError>> {
    let is_for_web = link.interfaces.iter().any(|named| named.as_str() == SEND.interface);
    is_for_web.then(|| Scope::new(&link.constraints))
}

fn same_package(a: &str, b: &str) -> bool {
    a.split('/').next() == b.split('/').next()
}

/// Collects what runs and what is linked, and judges it.
#[derive(Default)]
pub(crate) struct RoutesBuilder {
    routes: Routes,
    callees: HashMap<EntityId, Callee>,
}

impl RoutesBuilder {
    /// Something runs.
    pub(crate) fn entity(&mut self, known: Known, callee: Callee) {
        let id = known.party.id.clone();
        if let Callee::Actor(actor) = &callee {
            self.routes.actors.insert(id.clone(), actor.clone());
        }
        self.routes.known.insert(id.clone(), known);
        self.callees.insert(id, callee);
    }

    /// Something runs on another host.
    pub(crate) fn placed(&mut self, there: There) {
        self.routes.placed.entry(there.known.party.id.clone()).or_default().push(there);
    }

    /// A link is known. All entities have been told before.
    pub(crate) fn link(
        &mut self,
        number: u32,
        granted: &Granted<'_>,
        shared: impl Fn(&AccountKey, &Party) -> bool,
    ) {
        let link = granted.link;
        let routes = &self.routes;
        let target = routes.find(&link.target);
        // Who is never called from here does not decide what may be.
        let remote: Vec<&Known> = match link.locality {
            Locality::Remote => routes.there(&link.target).map(|there| &there.known).collect(),
            Locality::Any | Locality::Local => Vec::new(),
        };
        let called = if remote.is_empty() { &target } else { &remote };
        let Judgement { steps, standing } =
            judge(granted, &routes.find(&link.source), called, &shared);
        let for_others = judge(granted, &[], &target, &shared).standing;
        let callee = self.callees.get(&link.target.id);
        let callee = callee.filter(|_| routes.usurper(&link.target).is_none());
        let callee = callee.cloned().unwrap_or(Callee::Absent);
        let account = granted.account.clone();
        let elsewhere = match link.locality {
            _ if matches!(callee, Callee::BuiltIn(BuiltIn::Secrets)) => Vec::new(), // each host's own
            Locality::Local => Vec::new(),
            Locality::Any | Locality::Remote => {
                routes.there(&link.target).map(OtherHost::of).collect()
            }
        };
        let usurper = routes.usurper(&link.source).cloned();
        let record = RecordKey::Link { account: account.clone(), key: link.key() };
        let record: Box<str> = record.to_string().into();
        let edge = Arc::new(Edge {
            number,
            link: link.clone(),
            account,
            standing,
            for_others,
            usurper,
            callee,
            elsewhere,
            record: record.clone(),
            requests: requests(link),
        });
        self.routes.by_record.insert(record, edge.clone());
        self.routes.steps.insert(number, steps);
        self.routes.by_number.insert(number, edge.clone());
        self.routes.by_source.entry(link.source.id.clone()).or_default().push(edge.clone());
        self.routes.edges.push(edge);
    }

    pub(crate) fn finish(self) -> Routes {
        self.routes
    }
}

#[cfg(test)]
mod tests;
