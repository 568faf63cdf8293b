//! Events: an application stands otherwise than a round before.

use std::collections::BTreeMap;

use wattle_claims::Timestamp;
use wattle_core::{
    Name,
    app::ApplicationStatus,
    event::{CloudEvent, Event},
};

use super::Worker;

/// The problems that one event tells of: `status` tells of all.
const PROBLEMS_MAX: usize = 8;

impl Worker {
    /// Tells what is otherwise than before. What another one told in an earlier term is told again: it may be otherwise since.
    pub(super) fn tell_changes(&mut self, term: u64, before: &[ApplicationStatus]) {
        let now = self.told.lock().statuses.clone();
        for event in changes(before, &now) {
            self.events += 1;
            let lattice = &self.identity.lattice;
            let (host, run) = (&self.identity.host, format!("wadm-{term}"));
            let time = Timestamp::now().to_string();
            let name = lattice.name();
            lattice.publish_event(&CloudEvent::new(name, host, &run, self.events, time, event));
        }
    }
}

fn changes(before: &[ApplicationStatus], now: &[ApplicationStatus]) -> Vec<Event> {
    let known: BTreeMap<&Name, &ApplicationStatus> =
        before.iter().map(|status| (&status.application, status)).collect();
    let stands =
        |status: &ApplicationStatus| (status.phase, status.version.clone(), status.state.clone());
    let changed = now.iter().filter(|status| {
        known.get(&status.application).is_none_or(|known| stands(known) != stands(status))
    });
    let changed = changed.map(|status| Event::ApplicationChanged {
        application: status.application.clone(),
        phase: status.phase,
        version: status.version.clone(),
        state: status.state.clone(),
        problems: status.problems().into_iter().take(PROBLEMS_MAX).collect(),
    });
    let is_there = |name: &Name| now.iter().any(|status| status.application == *name);
    let ended = before.iter().filter(|status| !is_there(&status.application));
    let ended =
        ended.map(|status| Event::ApplicationEnded { application: status.application.clone() });
    changed.chain(ended).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use wattle_core::{app::ApplicationState, deployment::Phase};

    use super::*;

    fn status(name: &str, state: ApplicationState) -> ApplicationStatus {
        ApplicationStatus {
            application: name.parse().expect("a name"),
            phase: Phase::Deployed,
            generation: 1,
            version: "1".parse().expect("a version"),
            state,
            components: Vec::new(),
            held: Vec::new(),
            used_by: BTreeSet::new(),
            failed_links: BTreeMap::new(),
        }
    }

    #[test]
    fn only_what_changed_is_told() {
        let changing = status("shop", ApplicationState::Changing);
        let settled = status("shop", ApplicationState::Settled);
        let other = status("other", ApplicationState::Settled);
        assert_eq!(changes(std::slice::from_ref(&other), std::slice::from_ref(&other)), []);
        let told = changes(&[changing, other.clone()], &[settled.clone(), other.clone()]);
        let [Event::ApplicationChanged { application, state, .. }] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!((application.as_str(), state), ("shop", &ApplicationState::Settled));
        let ended = Event::ApplicationEnded { application: settled.application.clone() };
        assert_eq!(changes(&[settled, other.clone()], &[other]), [ended]);
    }
}
