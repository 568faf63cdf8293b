//! What the registry owns, and how it becomes the snapshot that calls see.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

use wattle_claims::{HostClaims, RecordKey, Timestamp, TokenError, Trust, Verified};
use wattle_core::{
    BuiltIn, EntityId, Name,
    control::{Failure, FailureKind, StartActor},
    entity::{CodeKey, Identity},
};

use super::{
    RunningActor, RunningProvider,
    declared::{self, Declared},
    known,
    running::{RunningFile, WhatRuns},
};
use crate::{
    builtin,
    records::{Kept, RecordBook},
    router::{Callee, Routes, RoutesBuilder, There},
    settings::{self, Configs, Secrets, SettingsError},
};

/// Everything that changes together, under the registry's lock.
pub(super) struct Inner {
    pub(super) host: Verified<HostClaims>,
    pub(super) trust: Trust,
    pub(super) records: RecordBook,
    pub(super) secrets: Secrets,
    pub(super) actors: BTreeMap<EntityId, RunningActor>,
    pub(super) providers: BTreeMap<EntityId, RunningProvider>,
    /// Ids that are being started.
    pub(super) reserved: BTreeSet<EntityId>,
    pub(super) runs: WhatRuns,
    pub(super) file: RunningFile,
    pub(super) numbers: BTreeMap<RecordKey, u32>,
    /// Which tokens held when everything was last judged.
    pub(super) standing_judged: Vec<bool>,
    /// Whether records were taken of which nothing has followed yet.
    pub(super) is_unsettled: bool,
    /// Whether the file lacks what has changed since it was written: the disk was full.
    pub(super) is_unsaved: bool,
}

impl Inner {
    pub(super) fn save(&mut self) -> io::Result<()> {
        let saved = self.file.write(&self.runs);
        self.is_unsaved = saved.is_err();
        saved
    }

    /// Writes what could not be written before.
    pub(super) fn save_rest(&mut self) -> io::Result<()> {
        if self.is_unsaved { self.save() } else { Ok(()) }
    }

    /// Whether this identity may be started under an id. `in_place`: also where another one of the account's runs under it.
    pub(super) fn check_owner(
        &self,
        id: &EntityId,
        identity: &Identity,
        in_place: bool,
    ) -> Result<(), Failure> {
        builtin::check_free(id)?;
        let Some(owner) = self.runs.owner(id) else { return Ok(()) };
        if *owner != identity.account {
            let text = format!(
                "{id} belongs to account {owner}, which started it first; this is signed by {}",
                identity.account
            );
            return Err(Failure::new(FailureKind::Conflict, text));
        }
        let running = self.runs.identity(id).filter(|running| *running != identity && !in_place);
        match running {
            None => Ok(()),
            Some(running) => {
                let text = format!("{id} is running {}, this is {}", running.key, identity.key);
                let kind = match running.key {
                    CodeKey::Provider(_) => "provider",
                    CodeKey::Actor(_) | CodeKey::BuiltIn(_) => "actor",
                };
                Err(Failure::new(FailureKind::Conflict, text)
                    .with_next(format!("stop it first: wattle stop {kind} {id}")))
            }
        }
    }

    pub(super) fn configs(&self, now: Timestamp) -> Configs<'_> {
        Configs { book: &self.records, trust: &self.trust, now }
    }

    /// Config records may have changed under running actors.
    pub(super) fn refresh_actor_settings(&self, now: Timestamp) {
        for running in self.actors.values() {
            let account = running.claims.account();
            let StartActor { config, values, .. } = &running.start;
            let configs = self.configs(now);
            // What its signer may not say any more, it goes on without.
            let is_withdrawn = |name: &Name| {
                let found = settings::config(name, account, configs);
                matches!(found, Err(SettingsError::Withdrawn { .. }))
            };
            let named: Vec<Name> =
                config.iter().filter(|name| !is_withdrawn(name)).cloned().collect();
            let Ok(settings) = settings::resolve(&named, values, account, configs, &self.secrets)
            else {
                continue;
            };
            if **running.actor.config.load() != settings {
                running.actor.config.store(Arc::new(settings));
            }
        }
    }

    /// Which of the host's, the actors', the providers' and the records' tokens hold, in that order.
    pub(super) fn standing(&self, now: Timestamp) -> Vec<bool> {
        let trust = &self.trust;
        let mut standing = vec![self.host.standing(trust, now).is_ok()];
        standing.extend(
            self.actors.values().map(|running| running.claims.standing(trust, now).is_ok()),
        );
        standing.extend(
            self.providers.values().map(|running| running.claims.standing(trust, now).is_ok()),
        );
        standing.extend(self.records.iter().map(|(_, entry)| match &entry.record {
            Kept::Placement(_, placed) => {
                entry.holds(trust, now)
                    && placed.iter().all(|placed| placed.standing(trust, now).is_ok())
            }
            _ => entry.holds(trust, now),
        }));
        standing
    }

    pub(super) fn routes(&mut self, now: Timestamp) -> Routes {
        let mut builder = RoutesBuilder::default();
        let host = self.host.standing(&self.trust, now).err();
        for (id, running) in &self.actors {
            let standing = running.claims.standing(&self.trust, now);
            let known = known::actor(id, &running.claims, broken(host.as_ref(), standing));
            builder.entity(known, Callee::Actor(running.actor.clone()));
        }
        for (id, running) in &self.providers {
            let standing = running.claims.standing(&self.trust, now);
            if let Err(error) = &standing {
                running.provider.deny(error.to_string());
            }
            let known = known::provider(id, &running.claims, broken(host.as_ref(), standing));
            builder.entity(known, Callee::Provider(running.provider.clone()));
        }
        for built_in in BuiltIn::ALL {
            let broken = host.as_ref().map(|error| format!("this host's claims: {error}"));
            let known = known::built_in(built_in, &self.host, broken);
            builder.entity(known, Callee::BuiltIn(built_in));
        }
        self.add_placed(&mut builder, now);
        self.add_links(&mut builder, now);
        builder.finish()
    }

    /// What other hosts run, as far as it holds.
    fn add_placed(&self, builder: &mut RoutesBuilder, now: Timestamp) {
        for (_, entry) in self.records.iter() {
            let Kept::Placement(record, placed) = &entry.record else { continue };
            let Some(placement) = &record.body.value else { continue };
            let is_here = placement.host.as_str() == self.host.subject;
            if is_here || record.standing(&self.trust, now).is_err() {
                continue;
            }
            let built_in = known::built_in(BuiltIn::LatticeControl, record, None);
            let holding = placed.iter().filter(|it| it.standing(&self.trust, now).is_ok());
            for known in holding.map(|it| known::placed(it, None)).chain([built_in]) {
                let host = placement.host.clone();
                builder.placed(There { host, known, is_leaving: placement.leaving });
            }
        }
    }

    fn add_links(&mut self, builder: &mut RoutesBuilder, now: Timestamp) {
        let Self { records, numbers, trust, .. } = self;
        let shares = known::Shares::collect(records, trust, now);
        for (key, entry) in records.iter() {
            let Kept::Link(record) = &entry.record else { continue };
            let Some(link) = &record.body.value else { continue };
            let next = numbers.len() as u32 + 1;
            let number = *numbers.entry(key.clone()).or_insert(next);
            let validity = known::validity(
                record,
                record.standing(trust, now).err().map(|error| error.to_string()),
            );
            let granted = known::granted(link, record.account(), &validity, record.user());
            builder.link(number, &granted, |account, party| shares.allow(account, party));
        }
        for declared in declared::links(records) {
            let Declared { key, link, deployment } = declared;
            let next = numbers.len() as u32 + 1;
            let number = *numbers.entry(key).or_insert(next);
            let broken = deployment.standing(trust, now).err().map(|error| error.to_string());
            let validity = known::validity(deployment, broken);
            let granted = known::granted(link, deployment.account(), &validity, deployment.user());
            builder.link(number, &granted, |account, party| shares.allow(account, party));
        }
    }
}

fn broken(host: Option<&TokenError>, own: Result<(), TokenError>) -> Option<String> {
    let host = host.map(|error| format!("this host's claims: {error}"));
    host.or_else(|| own.err().map(|error| error.to_string()))
}
