//! What runs here and how it is.

use wattle_claims::RecordKey;
use wattle_core::{
    BuiltIn, Link, codec,
    control::Outcome,
    entity::Party,
    inventory::{ActorStatus, BuiltInStatus, Inventory, LinkStatus, ProviderStatus},
};

use super::Control;
use crate::registry::{
    self, RunningActor, RunningProvider, View, identity_of_actor, identity_of_provider,
};

/// Artifacts on its disk that an inventory lists.
const CACHED_MAX: usize = 500;
/// What runs on other hosts, of which an inventory tells: these can be asked themselves.
const ELSEWHERE_MAX: usize = 1_000;

/// A link with its record's key and generation.
type KnownLink = (RecordKey, u64, Link);

impl Control {
    /// A wadm asks every host, and needs from none what it knows of others.
    pub(super) fn inventory(&self, is_for_wadm: bool) -> Outcome {
        // First: what changes meanwhile is said by the next beat's number.
        let running = self.running_number();
        Outcome::Inventory(Box::new(Inventory {
            host: self.host.clone(),
            name: self.name.clone(),
            lattice: self.lattice_name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: self.started.elapsed().as_secs(),
            labels: self.labels.clone(),
            actors: self.actor_statuses(),
            providers: self.provider_statuses(),
            built_in: self.built_in(),
            refused: self.reports.counts(),
            sessions: self.router.elsewhere().sessions().map_or(0, |sessions| sessions.count()),
            elsewhere: match is_for_wadm {
                true => Vec::new(),
                false => self.router.routes().elsewhere(ELSEWHERE_MAX),
            },
            failed_links: self.failed_links(),
            room: self.runtime.room,
            cached: self.artifacts.digests(CACHED_MAX),
            running,
        }))
    }

    /// The actors that run here.
    pub(crate) fn actor_statuses(&self) -> Vec<ActorStatus> {
        let (trust, now) = (self.registry.trust(), self.registry.now());
        self.registry.look(|view: &View<'_>| {
            let statuses = view.actors.values().map(|running| {
                let denied = running.claims.standing(&trust, now).err();
                actor_status(running, denied.map(|error| error.to_string()))
            });
            statuses.collect()
        })
    }

    /// The providers that run here.
    pub(crate) fn provider_statuses(&self) -> Vec<ProviderStatus> {
        self.registry.look(|view| view.providers.values().map(provider_status).collect())
    }

    fn built_in(&self) -> Vec<BuiltInStatus> {
        let (account, denied) = self.registry.host();
        let status = |built_in: BuiltIn| {
            let Party { id, identity } = built_in.party(account.clone());
            let (imports, exports) = (built_in.imports(), built_in.exports());
            BuiltInStatus { id, identity, denied: denied.clone(), imports, exports }
        };
        BuiltIn::ALL.into_iter().map(status).collect()
    }

    /// A number that changes with what runs and how it does. Not by counting: a host that restarts says the same again.
    pub(crate) fn running_number(&self) -> u64 {
        let (trust, now) = (self.registry.trust(), self.registry.now());
        let running = self.registry.look(|view| {
            let actors = view.actors.values().map(|it| {
                let holds = it.claims.standing(&trust, now).is_ok();
                (
                    it.start.id.clone(),
                    it.start.artifact,
                    it.start.program,
                    it.actor.gate.scale(),
                    holds,
                )
            });
            let providers = view.providers.values().map(|it| {
                let state = it.provider.state().borrow().clone();
                (it.start.id.clone(), it.start.artifact, it.start.program, state)
            });
            codec::encode(&(actors.collect::<Vec<_>>(), providers.collect::<Vec<_>>()))
        });
        let failed = codec::encode(&self.failed_links());
        let hash = blake3::Hasher::new().update(&running).update(&failed).finalize();
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash is longer"))
    }

    /// The links that are known here, and whether each holds.
    pub(super) fn link_statuses(&self) -> Vec<LinkStatus> {
        self.statuses(self.links_known())
    }

    /// The same of so many after the one with this key, in their keys' order: the others are not looked at closely.
    pub(crate) fn links_after(&self, after: Option<&str>, most: usize) -> Vec<LinkStatus> {
        let links = self.links_known().into_iter();
        let mut links: Vec<(String, KnownLink)> =
            links.map(|known| (known.2.key().to_string(), known)).collect();
        links.retain(|(key, _)| after.is_none_or(|after| key.as_str() > after));
        links.sort_by(|(a, _), (b, _)| a.cmp(b));
        links.truncate(most);
        self.statuses(links.into_iter().map(|(_, known)| known).collect())
    }

    fn links_known(&self) -> Vec<KnownLink> {
        self.registry.look(|view| {
            registry::links(view)
                .map(|(key, generation, link)| (key, generation, link.clone()))
                .collect()
        })
    }

    fn statuses(&self, links: Vec<KnownLink>) -> Vec<LinkStatus> {
        let statuses = links.into_iter().map(|(key, generation, link)| {
            let state = self.link_state(&key, &link);
            LinkStatus { link, generation, state }
        });
        statuses.collect()
    }

    pub(super) fn link_status(&self, key: &RecordKey) -> Option<LinkStatus> {
        let (generation, link) = self.registry.look(|view| {
            let mut links = registry::links(view);
            links
                .find(|(known, ..)| known == key)
                .map(|(_, generation, link)| (generation, link.clone()))
        })?;
        let state = self.link_state(key, &link);
        Some(LinkStatus { link, generation, state })
    }
}

fn actor_status(running: &RunningActor, denied: Option<String>) -> ActorStatus {
    let actor = &running.actor;
    let (calls, failures) = actor.counts();
    ActorStatus {
        id: actor.id.clone(),
        identity: identity_of_actor(&running.claims),
        artifact: actor.artifact,
        program: running.start.program,
        name: actor.name.clone(),
        denied,
        scale: actor.gate.scale(),
        imports: actor.imports.clone(),
        exports: actor.exports.clone(),
        calls,
        failures,
        in_flight: actor.gate.inside(),
        queued: actor.gate.queued(),
        compiled_from_cache: actor.compiled_from_cache,
    }
}

fn provider_status(running: &RunningProvider) -> ProviderStatus {
    let provider = &running.provider;
    ProviderStatus {
        id: running.start.id.clone(),
        identity: identity_of_provider(&running.claims),
        artifact: running.start.artifact,
        program: running.start.program,
        name: running.claims.body.name.clone(),
        state: provider.state().borrow().clone(),
        imports: running.claims.body.imports.clone(),
        exports: running.claims.body.exports.clone(),
        restarts: provider.restarts(),
        last_exit: provider.last_exit(),
    }
}
