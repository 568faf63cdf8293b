//! What a link lets an actor do to the lattice, and what it has an actor told of.

use wattle_control::{COMMANDS, SCALE_ACTOR, START_ACTOR, STOP_ACTOR, STOP_PROVIDER};
use wattle_core::{EntityId, Link, event, link::ConfigValue};

use crate::{builtin::pattern::Patterns, router::Denial};

/// Constraints: which commands, and about whom.
const COMMANDS_LISTED: &str = "commands";
const IDS_LISTED: &str = "ids";
/// The setting of a watcher's link: which events.
const EVENTS: &str = "events";

const FUNCTIONS: [&str; 4] =
    [START_ACTOR.function, STOP_ACTOR.function, SCALE_ACTOR.function, STOP_PROVIDER.function];

/// The commands that a link allows. One that allows none only looks.
pub(in crate::builtin) struct Scope {
    commands: Patterns,
    ids: Patterns,
}

impl Scope {
    /// What a link allows, if it says nothing else.
    pub(in crate::builtin) fn of(link: &Link) -> Result<Self, Denial> {
        let refused = |what: String| Denial::new(format!("the link {}: {what}", link.key()));
        let known = [COMMANDS_LISTED, IDS_LISTED];
        if let Some(name) = link.constraints.keys().find(|name| !known.contains(&name.as_str())) {
            let known = known.join(" and ");
            return Err(refused(format!("{COMMANDS} knows no constraint {name:?}, only {known}")));
        }
        if !link.target_config.named.is_empty() || !link.target_config.values.is_empty() {
            return Err(refused("lattice-control has no settings".to_owned()));
        }
        let listed = |name: &str| link.constraints.get(name).into_iter().flatten();
        let commands = Patterns::read(listed(COMMANDS_LISTED), |text| FUNCTIONS.contains(&text));
        let commands = commands.map_err(|text| {
            refused(format!("{text:?} is no command: there are {}", FUNCTIONS.join(", ")))
        })?;
        let ids = Patterns::read(listed(IDS_LISTED), |text| text.parse::<EntityId>().is_ok());
        let ids = ids.map_err(|text| {
            refused(format!("{text:?} is no id: write cart, shop/cart, or shop/* for more"))
        })?;
        let commands_are_meant = link.interfaces.iter().any(|named| named.as_str() == COMMANDS);
        if commands_are_meant && (commands.is_empty() || ids.is_empty()) {
            let what = "it allows no command about anybody".to_owned();
            return Err(refused(what).with_next(next(link, FUNCTIONS[2], "ID")));
        }
        Ok(Self { commands, ids })
    }

    /// Whether the link allows a command about `id`.
    pub(super) fn check(&self, link: &Link, command: &str, id: &EntityId) -> Result<(), Denial> {
        if self.commands.allow(command) && self.ids.allow(id.as_str()) {
            return Ok(());
        }
        let reason = format!("the link {} does not allow {command} of {id}", link.key());
        Err(Denial::new(reason).with_next(next(link, command, id.as_str())))
    }
}

fn next(link: &Link, command: &str, id: &str) -> String {
    let (source, target, name) = (&link.source.id, &link.target.id, &link.name);
    format!(
        "wattle link put {source} {target} {COMMANDS} --name {name} --constraint {COMMANDS_LISTED}={command} --constraint {IDS_LISTED}={id}"
    )
}

/// The events that a link has its actor told of.
pub(in crate::builtin) struct Interest(Option<Patterns>);

impl Interest {
    /// What a link says; without a word, all.
    pub(in crate::builtin) fn of(link: &Link) -> Result<Self, Denial> {
        let refused = |what: String| Denial::new(format!("the link {}: {what}", link.key()));
        if !link.source_config.named.is_empty() {
            let what = format!("which {EVENTS} it is for, it says itself, in no config");
            return Err(refused(what).with_next(format!("--source {EVENTS}=actor-started,link-*")));
        }
        let mut interest = None;
        for (key, value) in &link.source_config.values {
            match (key.as_str(), value) {
                (EVENTS, ConfigValue::Plain(kinds)) => {
                    let kinds = Patterns::read([kinds], |text| event::KINDS.contains(&text));
                    interest = Some(kinds.map_err(|text| {
                        let known = event::KINDS.join(", ");
                        refused(format!("{text:?} is no event's kind: there are {known}"))
                    })?);
                }
                _ => {
                    return Err(refused(format!(
                        "lattice-control has no setting {key:?}, only {EVENTS}"
                    )));
                }
            }
        }
        Ok(Self(interest))
    }

    pub(super) fn covers(&self, kind: &str) -> bool {
        self.0.as_ref().is_none_or(|kinds| kinds.allow(kind))
    }
}

#[cfg(test)]
mod tests {
    use wattle_core::{
        BuiltIn, Constraints,
        entity::{CodeKey, Party},
    };

    use super::*;

    fn actor() -> Party {
        let account = format!("A{}", "A".repeat(55)).parse().expect("a key");
        let mut actor = BuiltIn::LatticeControl.party(account);
        actor.id = "steward".parse().expect("an id");
        actor.identity.key = CodeKey::Actor(format!("M{}", "A".repeat(55)).parse().expect("a key"));
        actor
    }

    fn link(interface: &str, constraints: &[(&str, &str)]) -> Link {
        let source = actor();
        let target = BuiltIn::LatticeControl.party(source.identity.account.clone());
        let constraints = constraints.iter();
        Link {
            source,
            target,
            name: "default".parse().expect("a name"),
            interfaces: vec![interface.parse().expect("an interface")],
            locality: Default::default(),
            constraints: constraints
                .map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()]))
                .collect::<Constraints>(),
            source_config: Default::default(),
            target_config: Default::default(),
        }
    }

    fn allows(link: &Link, command: &str, id: &str) -> bool {
        let scope = Scope::of(link).map_err(|denial| denial.to_string()).expect("a scope");
        scope.check(link, command, &id.parse().expect("an id")).is_ok()
    }

    #[test]
    fn a_link_allows_the_commands_and_the_ids_that_it_lists() {
        let some = link(COMMANDS, &[("commands", "scale-actor,stop-*"), ("ids", "kit,shop/*")]);
        assert!(allows(&some, "scale-actor", "kit") && allows(&some, "stop-provider", "shop/kv"));
        assert!(!allows(&some, "start-actor", "kit") && !allows(&some, "scale-actor", "kits"));
        assert!(!allows(&some, "scale-actor", "shop"));
        let looks = link("wattle:control/state", &[]);
        assert!(!allows(&looks, "scale-actor", "kit"));
    }

    #[test]
    fn a_link_for_commands_that_allows_none_or_says_more_is_refused() {
        for constraints in [
            &[][..],
            &[("commands", "scale-actor")],
            &[("ids", "*")],
            &[("commands", "stop-host"), ("ids", "*")],
            &[("commands", "*"), ("ids", "Kit")],
            &[("commands", "*"), ("ids", "*"), ("hosts", "*")],
        ] {
            assert!(Scope::of(&link(COMMANDS, constraints)).is_err(), "{constraints:?}");
        }
    }

    #[test]
    fn a_watcher_is_told_of_the_kinds_that_its_link_lists() {
        let told = |events: Option<&str>| {
            let mut link = link(wattle_control::WATCHER, &[]);
            let plain = |text: &str| ConfigValue::Plain(text.to_owned());
            let values = events.map(|events| (EVENTS.to_owned(), plain(events)));
            link.source_config.values.extend(values);
            Interest::of(&link)
        };
        let all = told(None).expect("it holds");
        assert!(all.covers("actor-started") && all.covers("refused"));
        let some = told(Some("actor-started,link-*")).expect("it holds");
        assert!(some.covers("link-put") && !some.covers("actor-stopped"));
        assert!(told(Some("actor-begun")).is_err());
    }
}
