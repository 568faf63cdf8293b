//! Hosts: they do what they are told, sooner or later, if at all.

use std::collections::BTreeMap;

use wattle_core::{EntityId, HostKey};
use wattle_wadm::{
    manifest::Kind,
    plan::{Command, Desired, Host, HostState, Running},
    reconcile::COMMAND_MS,
};

use crate::applications::{BY_HAND, id, version};

/// A host, as it really is.
#[derive(Clone, Debug)]
pub(crate) struct SimHost {
    /// What it would say if it were honest.
    pub(crate) truth: Host,
    pub(crate) is_up: bool,
    /// Cut off: nothing comes in, nothing goes out, everything goes on running.
    pub(crate) is_cut: bool,
    /// What it says it runs instead, as long as it lies.
    pub(crate) lie: Option<BTreeMap<EntityId, Running>>,
    /// The newest lease that it has seen.
    pub(crate) lease: u64,
    /// When what was started will answer.
    pub(crate) starting: BTreeMap<EntityId, u64>,
}

pub(crate) fn key(index: u8) -> HostKey {
    let letter = char::from(b'A' + index);
    format!("N{}", letter.to_string().repeat(55)).parse().expect("a host's key")
}

impl SimHost {
    pub(crate) fn new(index: u8, room: u32) -> Self {
        let zone = char::from(b'a' + index % 3).to_string();
        let by_hand = Running { kind: Kind::Actor, artifact: version(9), instances: 1, ready: 1 };
        let truth = Host {
            name: format!("host-{index}").parse().expect("a name"),
            labels: BTreeMap::from([("zone".to_owned(), zone)]),
            state: HostState::Ready,
            seniority: index.into(),
            room,
            cached: std::collections::BTreeSet::new(),
            running: BTreeMap::from([(id(BY_HAND), by_hand)]),
            refused: BTreeMap::new(),
        };
        Self { truth, is_up: true, is_cut: false, lie: None, lease: 0, starting: BTreeMap::new() }
    }

    pub(crate) fn is_reachable(&self) -> bool {
        self.is_up && !self.is_cut
    }

    /// What it says of itself.
    pub(crate) fn report(&self) -> Host {
        let mut report = self.truth.clone();
        if let Some(lie) = &self.lie {
            report.running.clone_from(lie);
        }
        report
    }

    /// Does as it is told, unless the command is of a deposed leader or too old; says when it will have come true.
    pub(crate) fn obey(
        &mut self,
        now_ms: u64,
        (lease, sent_ms): (u64, u64),
        command: &Command,
        desired: &Desired,
        start_ms: u64,
    ) -> Result<u64, String> {
        if lease < self.lease {
            return Err("a newer lease is known".to_owned());
        }
        if sent_ms + COMMAND_MS < now_ms {
            return Err("the command has expired".to_owned());
        }
        self.lease = lease;
        match command {
            Command::Run { id, artifact, instances, .. } => {
                let before = self.truth.running.get(id);
                let is_same = before.is_some_and(|before| before.artifact == *artifact);
                let ready = match before {
                    Some(before) if is_same && before.ready > 0 => *instances,
                    _ => 0,
                };
                let kind = kind(desired, id);
                let running =
                    Running { kind, artifact: artifact.clone(), instances: *instances, ready };
                self.truth.running.insert(id.clone(), running);
                if ready > 0 {
                    return Ok(now_ms);
                }
                self.starting.insert(id.clone(), now_ms + start_ms);
                Ok(now_ms + start_ms)
            }
            Command::Stop { id, .. } => {
                self.truth.running.remove(id);
                self.starting.remove(id);
                Ok(now_ms)
            }
            Command::PutLink { .. } | Command::DeleteLink { .. } => Ok(now_ms),
        }
    }

    /// What was started answers by now.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        let running = &mut self.truth.running;
        self.starting.retain(|id, at_ms| {
            if *at_ms > now_ms {
                return true;
            }
            if let Some(running) = running.get_mut(id) {
                running.ready = running.instances;
            }
            false
        });
    }
}

fn kind(desired: &Desired, id: &EntityId) -> Kind {
    let component = desired.applications.values().find_map(|app| app.components.get(id));
    component.expect("only what is declared is started").kind
}
