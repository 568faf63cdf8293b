//! What is known of the lattice: deployments and rollouts as the store has them, hosts as they say. Everything is verified first.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tracing::{debug, warn};
use wattle_claims::{
    DeploymentRecord, Record, RecordKey, RecordValue, Revocations, Rollout, RolloutRecord, Signed,
    TokenError, TokenKind, Verified, peek_kind,
};
use wattle_core::{HostKey, Name, beat::Beat, inventory::Inventory};

use super::Identity;
use crate::declared::Declared;

/// A host that is silent for so long is lost: three beats, and what one may be late.
const SILENCE_MAX: Duration = Duration::from_millis(3_500);
/// A host that is silent for so long is none any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(10 * 60);
/// Hosts that are known at once: a flood of beats must not fill our memory.
const HOSTS_MAX: usize = 10_000;

/// One host.
#[derive(Clone, Debug)]
pub(super) struct HostView {
    pub(super) beat: Beat,
    pub(super) heard: Instant,
    /// Since when it has been there without a break.
    pub(super) since: Instant,
    /// Whether it was lost while we could hear.
    was_lost: bool,
    /// When it came back after that: what it said before counts no more.
    returned: Option<Instant>,
    /// What it said when it was asked, and when that was.
    pub(super) inventory: Option<(Inventory, Instant)>,
}

impl HostView {
    pub(super) fn is_lost(&self) -> bool {
        self.heard.elapsed() > SILENCE_MAX
    }

    /// Whether it has to be asked what it runs.
    pub(super) fn is_stale(&self) -> bool {
        let differs = |(known, _): &(Inventory, Instant)| known.running != self.beat.running;
        !self.is_lost() && (self.is_unheard() || self.inventory.as_ref().is_none_or(differs))
    }

    /// Whether it is back and has not said yet what it runs: it may be starting still.
    pub(super) fn is_unheard(&self) -> bool {
        let asked = self.inventory.as_ref().map(|(_, asked)| *asked);
        asked.zip(self.returned).is_some_and(|(asked, returned)| asked < returned)
    }
}

/// A rollout's record as the store has it.
#[derive(Clone, Debug)]
pub(super) struct StoredRollout {
    pub(super) generation: u64,
    pub(super) revision: u64,
    /// None where it has ended.
    pub(super) rollout: Option<Rollout>,
    pub(super) text: String,
}

/// Everything that is known.
#[derive(Default)]
pub(super) struct View {
    pub(super) deployments: BTreeMap<Name, Declared>,
    pub(super) rollouts: BTreeMap<Name, StoredRollout>,
    pub(super) hosts: BTreeMap<HostKey, HostView>,
    /// Whether the store has been read once.
    pub(super) is_listed: bool,
}

impl View {
    /// Each application with its deployment, and its rollout if there is one.
    pub(super) fn applications(
        &self,
    ) -> impl Iterator<Item = (&Name, &Declared, Option<&Rollout>)> {
        self.deployments.iter().map(|(name, declared)| (name, declared, self.rollout(name)))
    }

    pub(super) fn rollout(&self, name: &Name) -> Option<&Rollout> {
        self.rollouts.get(name)?.rollout.as_ref()
    }

    /// Takes what the store says of a key. True if it matters here.
    pub(super) fn read(
        &mut self,
        identity: &Identity,
        key: &str,
        token: &str,
        revision: u64,
    ) -> bool {
        match self.try_read(identity, key, token, revision) {
            Ok(matters) => matters,
            Err(error) => {
                debug!(key, %error, "a record in the store does not hold");
                self.outdate(identity, key, token, revision)
            }
        }
    }

    /// A rollout that does not hold, for being of a host that was revoked say, is written anew. What it says of itself, its generation
    /// too, is anybody's; one of our term is newer than what another could have written.
    fn outdate(&mut self, identity: &Identity, key: &str, token: &str, revision: u64) -> bool {
        let Ok(RecordKey::Rollout { account, application }) = key.parse() else { return false };
        if account != identity.account {
            return false;
        }
        // What is known goes on: whoever can write into the store must not be able to take links away.
        let known = self.rollouts.remove(&application);
        let (generation, rollout) = known.map_or((0, None), |it| (it.generation, it.rollout));
        let text = token.to_owned();
        self.rollouts.insert(application, StoredRollout { generation, revision, rollout, text });
        true
    }

    fn try_read(
        &mut self,
        identity: &Identity,
        key: &str,
        token: &str,
        revision: u64,
    ) -> Result<bool, TokenError> {
        match peek_kind(token)? {
            TokenKind::Deployment => {
                let record: DeploymentRecord = verified(identity, token)?.body.clone();
                let Some(name) = own_application(identity, &record.key) else { return Ok(false) };
                Ok(self.learn(name, record, token))
            }
            TokenKind::Rollout => {
                let record: RolloutRecord = verified(identity, token)?.body.clone();
                let Some(name) = own_application(identity, &record.key) else { return Ok(false) };
                let known = self.rollouts.get(&name);
                // The store's own newest counts where it is not older than what hosts hold by now.
                if record.key.to_string() != key
                    || known.is_some_and(|known| known.generation > record.generation)
                {
                    return Ok(false);
                }
                let (generation, rollout) = (record.generation, record.value);
                let text = token.to_owned();
                let stored = StoredRollout { generation, revision, rollout, text };
                self.rollouts.insert(name, stored);
                Ok(true)
            }
            TokenKind::Revocations => {
                let (trust, now) = (identity.trust(), identity.now());
                let list = Signed::<Revocations>::parse(token)?.verify(&trust, now)?;
                Ok(identity.revoke(&list))
            }
            _ => Ok(false),
        }
    }

    /// A deployment, unless a newer one is known.
    pub(super) fn learn(&mut self, name: Name, record: DeploymentRecord, token: &str) -> bool {
        let known = self.deployments.get(&name);
        let is_newer = known.is_none_or(|known| {
            (record.generation, token) > (known.generation, known.text.as_str())
        });
        if is_newer {
            let declared = Declared::new(record.generation, token.to_owned(), record.value);
            self.deployments.insert(name, declared);
        }
        is_newer
    }

    /// Takes a host's beat. True if what it runs is to be looked at.
    pub(super) fn hear(&mut self, identity: &Identity, host: HostKey, token: &str) -> bool {
        let beat = Signed::<Beat>::parse(token)
            .and_then(|beat| beat.verify(&identity.trust(), identity.now()));
        let beat = match beat {
            Ok(beat) if beat.issuer == host.as_str() => beat.body.clone(),
            Ok(_) => return false,
            Err(error) => {
                debug!(%host, %error, "a beat that does not hold");
                return false;
            }
        };
        let heard = Instant::now();
        if let Some(known) = self.hosts.get_mut(&host) {
            let changed = known.is_lost()
                || known.beat.running != beat.running
                || known.beat.draining != beat.draining;
            if known.was_lost || known.is_lost() || beat.uptime_s < known.beat.uptime_s {
                known.since = heard;
            }
            if known.was_lost || known.is_lost() {
                known.returned = Some(heard);
            }
            known.was_lost = false;
            (known.beat, known.heard) = (beat, heard);
            return changed || known.is_stale();
        }
        if self.hosts.len() >= HOSTS_MAX {
            warn!(%host, "{HOSTS_MAX} hosts are known, which is the limit");
            return false;
        }
        let since = heard.checked_sub(Duration::from_secs(beat.uptime_s)).unwrap_or(heard);
        self.hosts.insert(
            host,
            HostView { beat, heard, since, was_lost: false, returned: None, inventory: None },
        );
        true
    }

    /// Hosts that are gone for good are forgotten in the end.
    pub(super) fn forget_long_lost(&mut self) {
        self.hosts.retain(|_, host| host.heard.elapsed() < FORGOTTEN_AFTER);
    }

    /// Nothing was heard for reasons of our own: nobody is lost for that who was not lost before.
    pub(super) fn forgive_silence(&mut self) {
        let now = Instant::now();
        for host in self.hosts.values_mut().filter(|host| !host.was_lost) {
            host.heard = now;
        }
    }

    /// Looks who is silent, while we can hear. Gives how many are lost.
    pub(super) fn notice_lost(&mut self) -> usize {
        for host in self.hosts.values_mut() {
            host.was_lost |= host.is_lost();
        }
        self.hosts.values().filter(|host| host.was_lost).count()
    }
}

fn verified<T: RecordValue>(
    identity: &Identity,
    token: &str,
) -> Result<Verified<Record<T>>, TokenError> {
    Signed::<Record<T>>::parse(token)?.verify(&identity.trust(), identity.now())
}

/// The application that a key is of, if it is one of our account's.
fn own_application(identity: &Identity, key: &RecordKey) -> Option<Name> {
    match key {
        RecordKey::Deployment { account, application }
        | RecordKey::Rollout { account, application } => {
            (*account == identity.account).then(|| application.clone())
        }
        _ => None,
    }
}
