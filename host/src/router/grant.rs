//! Walks the chain of authority for one link. Pure: the same facts always give the same judgement, which the snapshot keeps and
//! `wattle why` prints.

use wattle_claims::Timestamp;
use wattle_core::{
    AccountKey, Constraints, Interface, Link,
    entity::{CodeKey, Party},
    inventory::Step,
};

use super::{denial::Denial, edge::Standing};
use crate::builtin;

/// Something that runs, as its verified claims describe it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) party: Party,
    pub(crate) imports: Vec<Interface>,
    pub(crate) exports: Vec<Interface>,
    pub(crate) validity: Validity,
}

/// Whether and when a verified token counts.
#[derive(Clone, Debug)]
pub(crate) struct Validity {
    /// Why not, if it does not (revoked, expired).
    pub(crate) broken: Option<String>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

impl Validity {
    /// Why it does not count at `now`, if it does not.
    pub(super) fn broken_at(&self, now: Timestamp) -> Option<String> {
        let expired =
            self.until.filter(|until| now > *until).map(|until| format!("expired at {until}"));
        let early =
            self.from.filter(|from| now < *from).map(|from| format!("not valid before {from}"));
        self.broken.clone().or(expired).or(early)
    }
}

/// A link with what its token says about who granted it.
#[derive(Clone, Debug)]
pub(crate) struct Granted<'a> {
    pub(crate) link: &'a Link,
    /// The account under which the link was issued.
    pub(crate) account: &'a AccountKey,
    pub(crate) validity: &'a Validity,
    /// Whether who signed it may command hosts: a user needs the right, an account is its own.
    pub(crate) may_command: bool,
}

/// What was looked at, in order, and what came of it.
pub(crate) struct Judgement {
    pub(crate) steps: Vec<Step>,
    pub(crate) standing: Standing,
}

/// Judges one link between those that may stand at its two ends: what runs here, or all that other hosts run of it. `shared` says
/// whether the callee's account lets the link's account grant calls to this callee.
pub(crate) fn judge(
    granted: &Granted<'_>,
    source: &[&Known],
    target: &[&Known],
    shared: impl Fn(&AccountKey, &Party) -> bool,
) -> Judgement {
    let mut walk = Walk::default();
    walk.link(granted);
    walk.constraints(granted.link);
    walk.party("caller", &granted.link.source, source);
    walk.party("callee", &granted.link.target, target);
    walk.owner(granted, &shared);
    walk.told(granted, &shared);
    walk.commands(granted);
    let standing = walk.standing(granted, source, target);
    Judgement { steps: walk.steps, standing }
}

#[derive(Default)]
struct Walk {
    steps: Vec<Step>,
    broken: Option<Denial>,
}

impl Walk {
    fn holds(&mut self, finding: String) {
        self.steps.push(Step { holds: true, finding });
    }

    fn breaks(&mut self, denial: Denial) {
        self.steps.push(Step { holds: false, finding: denial.reason.clone() });
        self.broken.get_or_insert(denial);
    }

    fn link(&mut self, granted: &Granted<'_>) {
        let key = granted.link.key();
        match &granted.validity.broken {
            None => self.holds(format!("link {key}, issued under account {}", granted.account)),
            Some(why) => self.breaks(Denial::new(format!("link {key}: {why}"))),
        }
    }

    /// It is the callee that holds its caller to them, and a provider fails a link with one that it does not know. An actor is told
    /// nothing of them.
    fn constraints(&mut self, link: &Link) {
        if let Err(denial) = builtin::check(link) {
            return self.breaks(denial);
        }
        let Some(name) = link.constraints.keys().next() else { return };
        if !matches!(link.target.identity.key, CodeKey::Actor(_)) {
            return self.holds(format!("constraints: {}", constraints_text(&link.constraints)));
        }
        let (key, target) = (link.key(), &link.target);
        let reason = format!("link {key}: {target} is an actor, which nobody holds to {name:?}");
        self.breaks(Denial::new(reason));
    }

    fn party(&mut self, role: &str, wanted: &Party, found: &[&Known]) {
        let sound = found.iter().find(|known| known.validity.broken.is_none());
        let Some(found) = sound.or(found.first()) else {
            self.holds(format!("{role} {} does not run on this host", wanted.id));
            return;
        };
        if found.party.identity != wanted.identity {
            return self.breaks(Denial::another(role, wanted, &found.party));
        }
        match &found.validity.broken {
            None => self
                .holds(format!("{role} {wanted}, signed by account {}", wanted.identity.account)),
            Some(why) => self.breaks(Denial::new(format!("the claims of {wanted}: {why}"))),
        }
    }

    /// What a host tells actors of is its account's to grant, as what it answers is: a caller with claims chooses what it says, and
    /// what is built in says what happens on the host, to whoever is linked.
    fn told(&mut self, granted: &Granted<'_>, shared: impl Fn(&AccountKey, &Party) -> bool) {
        let source = &granted.link.source;
        let owner = &source.identity.account;
        let is_granted = granted.account == owner || shared(granted.account, source);
        if !source.identity.key.is_built_in() || is_granted {
            return;
        }
        let reason = format!(
            "the link was issued under account {}, and {source} tells only whom account {owner} or its share lets it",
            granted.account
        );
        let next = "have the account of the hosts sign the link, or a share".to_owned();
        self.breaks(Denial::new(reason).with_next(next));
    }

    /// Nobody lets an actor command who may not.
    fn commands(&mut self, granted: &Granted<'_>) {
        let Link { target, interfaces, .. } = granted.link;
        let is_to_command = target.identity.key.is_built_in()
            && interfaces.iter().any(|named| named.as_str() == wattle_control::COMMANDS);
        if is_to_command && !granted.may_command {
            let key = granted.link.key();
            let reason = format!("the link {key}: the user who signed it lacks the right control");
            let next = "have a user with that right put it".to_owned();
            self.breaks(Denial::new(reason).with_next(next));
        }
    }

    fn owner(&mut self, granted: &Granted<'_>, shared: impl Fn(&AccountKey, &Party) -> bool) {
        let target = &granted.link.target;
        let owner = &target.identity.account;
        if granted.account == owner {
            self.holds(format!("account {owner} owns the callee and granted the link"));
        } else if shared(granted.account, target) {
            self.holds(format!(
                "account {owner} shares {} with account {}, which granted the link",
                target.id, granted.account
            ));
        } else {
            let reason = format!(
                "the link was issued under account {}, which does not own {target}: account {owner} does",
                granted.account
            );
            self.breaks(
                Denial::new(reason)
                    .with_next("have the callee's account sign the link, or a share".to_owned()),
            );
        }
    }

    fn standing(
        &mut self,
        granted: &Granted<'_>,
        source: &[&Known],
        target: &[&Known],
    ) -> Standing {
        let (mut interfaces, mut not) = (Vec::new(), Vec::new());
        for interface in &granted.link.interfaces {
            match covered(granted.link, interface, source, target) {
                Ok(()) => interfaces.push(interface.clone()),
                Err(denial) => not.push((interface.clone(), denial)),
            }
        }
        for interface in &interfaces {
            self.steps.push(Step {
                holds: true,
                finding: format!("both sides' claims cover {interface}"),
            });
        }
        for (_, denial) in &not {
            self.steps.push(Step { holds: false, finding: denial.reason.clone() });
        }
        if let Some(denial) = self.broken.take().or_else(|| first_if_none_left(&interfaces, &not)) {
            return Standing::Denied(denial);
        }
        let ends = [span([granted.validity]), span(validities(source)), span(validities(target))];
        Standing::Granted {
            interfaces,
            not,
            from: ends.iter().filter_map(|(from, _)| *from).max(),
            until: ends.iter().filter_map(|(_, until)| *until).min(),
        }
    }
}

fn validities<'a>(known: &'a [&Known]) -> impl Iterator<Item = &'a Validity> + Clone {
    known.iter().map(|known| &known.validity)
}

/// From when and until when one of them counts, or there is none. Which of them a call is about is seen where it arrives.
fn span<'a>(
    all: impl IntoIterator<Item = &'a Validity, IntoIter: Clone>,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let all = all.into_iter();
    // Nothing before which it does not count is before every time; nothing after which, after every.
    let from = all.clone().map(|validity| validity.from).min().flatten();
    let unlimited = all.clone().any(|validity| validity.until.is_none());
    let until = all.filter_map(|validity| validity.until).max();
    (from, until.filter(|_| !unlimited))
}

fn first_if_none_left(interfaces: &[Interface], not: &[(Interface, Denial)]) -> Option<Denial> {
    interfaces.is_empty().then(|| not.first().map(|(_, denial)| denial.clone())).flatten()
}

fn covered(
    link: &Link,
    interface: &Interface,
    source: &[&Known],
    target: &[&Known],
) -> Result<(), Denial> {
    if !source.is_empty() && !source.iter().any(|source| source.imports.contains(interface)) {
        return Err(Denial::not_imported(&link.source, interface.as_str()));
    }
    if !target.is_empty() && !target.iter().any(|target| target.exports.contains(interface)) {
        return Err(Denial::not_exported(&link.target, interface.as_str()));
    }
    Ok(())
}

fn constraints_text(constraints: &Constraints) -> String {
    let texts: Vec<String> =
        constraints.iter().map(|(name, values)| format!("{name}={}", values.join(","))).collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests;
