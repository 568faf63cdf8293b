//! Reconcilers: two, of which each may believe that it leads.

use std::collections::BTreeMap;

use wattle_core::{HostKey, link::LinkKey};
use wattle_wadm::{
    plan::{Desired, Host, HostState, Observed, PutLink},
    reconcile::{Reconciler, Round, Snapshot},
};

/// A host that is not heard of for so long is lost.
const LOST_MS: u64 = 3_000;

#[derive(Debug, Default)]
pub(crate) struct Leader {
    reconciler: Reconciler,
    /// The lease that it believes to hold.
    pub(crate) lease: Option<u64>,
    /// Until when it stands still.
    pub(crate) frozen_until_ms: u64,
    /// When it will notice that it was deposed.
    pub(crate) deposed_at_ms: Option<u64>,
    /// What hosts said, and when.
    heard: BTreeMap<HostKey, (Host, u64)>,
}

impl Leader {
    pub(crate) fn hear(&mut self, host: HostKey, report: Host, at_ms: u64) {
        let heard = self.heard.entry(host).or_insert_with(|| (report.clone(), at_ms));
        if heard.1 <= at_ms {
            *heard = (report, at_ms);
        }
    }

    /// One that takes over begins anew: what another had under way, it cannot know.
    pub(crate) fn take_over(&mut self, lease: u64) {
        self.reconciler = Reconciler::default();
        self.lease = Some(lease);
        self.deposed_at_ms = None;
    }

    pub(crate) fn round(
        &mut self,
        now_ms: u64,
        desired: &Desired,
        links: &BTreeMap<LinkKey, PutLink>,
    ) -> Round {
        let mut snapshot = Snapshot { links_at_ms: now_ms, ..Snapshot::default() };
        snapshot.observed = Observed { hosts: BTreeMap::new(), links: links.clone() };
        for (key, (host, at_ms)) in &self.heard {
            let mut host = host.clone();
            if now_ms.saturating_sub(*at_ms) > LOST_MS {
                host.state = HostState::Lost;
            }
            snapshot.observed.hosts.insert(key.clone(), host);
            snapshot.hosts_at_ms.insert(key.clone(), *at_ms);
        }
        self.reconciler.round(now_ms, desired, &snapshot)
    }

    pub(crate) fn answered(
        &mut self,
        now_ms: u64,
        sent_ms: u64,
        command: &wattle_wadm::plan::Command,
        outcome: Result<(), String>,
    ) {
        self.reconciler.answered(now_ms, sent_ms, command, outcome);
    }
}
