//! What is there, with what is under way: nothing is counted on that has yet to come, and everything that may come takes its room.

use super::{Reconciler, Snapshot, Subject, UnderWay};
use crate::plan::{Command, Desired, Observed, Refused, Running};

impl Reconciler {
    /// What the planner is shown.
    pub(super) fn view(&self, now_ms: u64, desired: &Desired, snapshot: &Snapshot) -> Observed {
        let mut view = snapshot.observed.clone();
        for under_way in self.under_way.values() {
            apply(&mut view, desired, under_way);
        }
        for (subject, failed) in &self.failed {
            let (Subject::On(host, id), Some(artifact)) = (subject, &failed.artifact) else {
                continue;
            };
            if failed.until_ms <= now_ms {
                continue;
            }
            if let Some(host) = view.hosts.get_mut(host) {
                let refused = Refused { artifact: artifact.clone(), reason: failed.reason.clone() };
                host.refused.insert(id.clone(), refused);
            }
        }
        view
    }
}

fn apply(view: &mut Observed, desired: &Desired, under_way: &UnderWay) {
    let is_done = under_way.done_ms.is_some();
    match &under_way.command {
        Command::Run { host, id, artifact, instances } => {
            let kind = desired.applications.values().find_map(|app| app.components.get(id));
            let (Some(host), Some(component)) = (view.hosts.get_mut(host), kind) else { return };
            let before = host.running.get(id);
            // An answered command has come true; whether what it started answers, only a snapshot shows. Until then what ran goes on, or
            // is replaced by another version.
            let (instances, ready) = match before {
                Some(before) if is_done && before.artifact == *artifact => {
                    let is_well = before.ready == before.instances;
                    (*instances, if is_well { *instances } else { before.ready.min(*instances) })
                }
                _ if is_done => (*instances, 0),
                Some(before) if before.artifact == *artifact => {
                    (before.instances.max(*instances), before.ready.min(*instances))
                }
                Some(before) => (before.instances.max(*instances), 0),
                None => (*instances, 0),
            };
            let artifact = artifact.clone();
            let running = Running { kind: component.kind, artifact, instances, ready };
            host.running.insert(id.clone(), running);
        }
        Command::Stop { host, id } => {
            let Some(host) = view.hosts.get_mut(host) else { return };
            if is_done {
                host.running.remove(id);
            } else if let Some(running) = host.running.get_mut(id) {
                running.ready = 0;
            }
        }
        Command::PutLink { application, key } if is_done => {
            let link = desired.applications.get(application).and_then(|app| app.links.get(key));
            if let Some(link) = link {
                view.links.insert(key.clone(), link.put_by(application));
            }
        }
        Command::DeleteLink { key, .. } if is_done => drop(view.links.remove(key)),
        Command::PutLink { .. } | Command::DeleteLink { .. } => {}
    }
}
