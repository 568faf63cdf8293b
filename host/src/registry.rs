//! What this host runs and knows, with one owner. Every change ends by judging all links anew and swapping the snapshot that
//! calls see.

pub(crate) mod declared;
mod inner;
mod known;
mod records;
mod running;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::Notify;
use wattle_claims::{
    ActorClaims, HostClaims, ProviderClaims, RecordKey, Timestamp, Trust, Verified,
};
use wattle_core::{
    AccountKey, Digest, EntityId, Link,
    control::{Failure, FailureKind, Scale, StartActor, StartProvider},
    entity::Identity,
    link::{ConfigValue, Settings},
};

use self::inner::Inner;
pub(crate) use self::{
    known::{identity_of_actor, identity_of_provider},
    running::{RunningFile, Wanted},
};
use crate::{
    actors::Actor,
    clock::Clock,
    providers::Provider,
    records::{Kept, RecordBook},
    router::Router,
    settings::{self, Configs, Secrets, SettingsError},
};

/// An actor with what it was started by.
pub(crate) struct RunningActor {
    pub(crate) actor: Arc<Actor>,
    pub(crate) claims: Verified<ActorClaims>,
    pub(crate) start: StartActor,
}

/// A provider with what it was started by.
pub(crate) struct RunningProvider {
    pub(crate) provider: Provider,
    pub(crate) claims: Verified<ProviderClaims>,
    pub(crate) start: StartProvider,
    /// Tells two providers apart that run under one id one after the other.
    pub(crate) serial: u64,
}

/// The one owner of a host's state.
pub(crate) struct Registry {
    inner: Mutex<Inner>,
    router: Arc<Router>,
    clock: Arc<Clock>,
    /// Told after each change, for the task that tells providers about their links.
    changed: Notify,
    /// The same, for the task that tells other hosts what runs here.
    moved: Notify,
}

impl Registry {
    /// A registry that runs nothing yet; `wanted` says what it ran last.
    pub(crate) fn open(
        host: Verified<HostClaims>,
        trust: Trust,
        records: RecordBook,
        secrets: Secrets,
        file: RunningFile,
        router: Arc<Router>,
        clock: Arc<Clock>,
    ) -> io::Result<(Arc<Self>, Vec<Wanted>)> {
        let runs = file.read()?;
        let wanted = runs.wanted();
        let inner = Inner {
            host,
            trust,
            records,
            secrets,
            actors: BTreeMap::new(),
            providers: BTreeMap::new(),
            reserved: BTreeSet::new(),
            runs,
            file,
            numbers: BTreeMap::new(),
            standing_judged: Vec::new(),
            is_unsettled: false,
            is_unsaved: false,
        };
        let (changed, moved) = (Notify::new(), Notify::new());
        let registry = Self { inner: Mutex::new(inner), router, clock, changed, moved };
        registry.publish(&mut registry.inner.lock());
        Ok((Arc::new(registry), wanted))
    }

    /// Waits for the next change. A change between two waits is not missed.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits for the next change, as [`Registry::changed`] does.
    pub(crate) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// What tokens are verified against now.
    pub(crate) fn trust(&self) -> Trust {
        self.inner.lock().trust.clone()
    }

    /// The account that this host's claims are of, and why they do not hold, if they do not.
    pub(crate) fn host(&self) -> (AccountKey, Option<String>) {
        let inner = self.inner.lock();
        let broken = inner.host.standing(&inner.trust, self.clock.now()).err();
        (inner.host.account().clone(), broken.map(|error| error.to_string()))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reserves an id for something that is about to start, so that two commands cannot start it at once. `in_place`: also where
    /// another identity of the same account runs under it, which a deployment may replace.
    ///
    /// # Errors
    /// `Conflict` if the id is another identity's, or is being started.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        id: &EntityId,
        identity: &Identity,
        in_place: bool,
    ) -> Result<Reservation, Failure> {
        let mut inner = self.inner.lock();
        inner.check_owner(id, identity, in_place)?;
        if !inner.reserved.insert(id.clone()) {
            return Err(Failure::new(FailureKind::Conflict, format!("{id} is being started")));
        }
        Ok(Reservation { registry: self.clone(), id: id.clone() })
    }

    /// The account that first started something under `id`, whether or not it runs now.
    pub(crate) fn owner(&self, id: &EntityId) -> Option<AccountKey> {
        self.inner.lock().runs.owner(id).cloned()
    }

    /// The actor under `id`, and what it was started by.
    pub(crate) fn actor(&self, id: &EntityId) -> Option<(Arc<Actor>, StartActor)> {
        self.inner
            .lock()
            .actors
            .get(id)
            .map(|running| (running.actor.clone(), running.start.clone()))
    }

    /// The provider under `id`, and what it was started by.
    pub(crate) fn provider(&self, id: &EntityId) -> Option<(Provider, StartProvider)> {
        self.inner
            .lock()
            .providers
            .get(id)
            .map(|running| (running.provider.clone(), running.start.clone()))
    }

    /// Whether the claims hold that the actor under `id` runs by.
    pub(crate) fn holds(&self, id: &EntityId) -> bool {
        let inner = self.inner.lock();
        let running = inner.actors.get(id);
        running.is_some_and(|it| it.claims.standing(&inner.trust, self.clock.now()).is_ok())
    }

    /// Who runs under `id`.
    pub(crate) fn identity(&self, id: &EntityId) -> Option<Identity> {
        let inner = self.inner.lock();
        let actor = inner.actors.get(id).map(|running| identity_of_actor(&running.claims));
        actor.or_else(|| inner.providers.get(id).map(|it| identity_of_provider(&it.claims)))
    }

    /// From now on this actor answers under its id; what did before is returned, to be drained.
    pub(crate) fn put_actor(&self, running: RunningActor) -> io::Result<Option<Arc<Actor>>> {
        let mut inner = self.inner.lock();
        let id = running.actor.id.clone();
        inner.runs.put(
            &id,
            identity_of_actor(&running.claims),
            Wanted::Actor(running.start.clone()),
        );
        // Whatever becomes of the file, it runs: nothing that has ended stays in its place.
        let saved = inner.save();
        let before = inner.actors.insert(id, running);
        self.publish(&mut inner);
        saved.map(|()| before.map(|running| running.actor))
    }

    /// From now on this provider serves under its id; what did before is returned, to be stopped.
    pub(crate) fn put_provider(
        &self,
        id: EntityId,
        running: RunningProvider,
    ) -> io::Result<Option<Provider>> {
        let mut inner = self.inner.lock();
        inner.runs.put(
            &id,
            identity_of_provider(&running.claims),
            Wanted::Provider(running.start.clone()),
        );
        let saved = inner.save();
        let before = inner.providers.insert(id, running);
        self.publish(&mut inner);
        saved.map(|()| before.map(|running| running.provider))
    }

    /// Nothing calls this actor any more; it may still have calls inside. Also whether it stays so when this host is started again.
    pub(crate) fn remove_actor(&self, id: &EntityId) -> (Option<Arc<Actor>>, io::Result<()>) {
        let mut inner = self.inner.lock();
        inner.runs.remove_actor(id);
        let saved = inner.save();
        let removed = inner.actors.remove(id);
        self.publish(&mut inner);
        (removed.map(|running| running.actor), saved)
    }

    /// Nothing calls this provider any more; it still has its links.
    pub(crate) fn remove_provider(&self, id: &EntityId) -> io::Result<Option<Provider>> {
        let mut inner = self.inner.lock();
        inner.runs.remove(id);
        let saved = inner.save();
        let removed = inner.providers.remove(id);
        self.publish(&mut inner);
        saved.map(|()| removed.map(|running| running.provider))
    }

    /// A provider that could not be started here is not wanted any more; whether there was one.
    pub(crate) fn forget_provider(&self, id: &EntityId) -> io::Result<bool> {
        let mut inner = self.inner.lock();
        let was_wanted = inner.runs.remove_provider(id);
        if was_wanted {
            inner.save()?;
        }
        Ok(was_wanted)
    }

    /// Writes down what runs, if that could not be done before: until then nothing is as it was asked for.
    pub(crate) fn save(&self) -> io::Result<()> {
        self.inner.lock().save_rest()
    }

    /// Remembers an actor's new limit for the next start of this host.
    pub(crate) fn set_scale(&self, id: &EntityId, scale: Scale) -> io::Result<()> {
        let mut inner = self.inner.lock();
        let Some(running) = inner.actors.get_mut(id) else { return Ok(()) };
        running.start.scale = scale;
        let (start, identity) = (running.start.clone(), identity_of_actor(&running.claims));
        inner.runs.put(id, identity, Wanted::Actor(start));
        inner.save()
    }

    /// A link's number on its providers' sockets.
    pub(crate) fn number(&self, key: &RecordKey) -> Option<u32> {
        self.inner.lock().numbers.get(key).copied()
    }

    /// Looks whether claims stopped or began to hold since the last time, and judges anew if so.
    pub(crate) fn sweep(&self) {
        let mut inner = self.inner.lock();
        let now = self.clock.now();
        let Inner { records, trust, .. } = &mut *inner;
        let is_changed = records.retry_early(trust, now);
        // Said when it failed, and to whoever asks for the same again; with room on the disk it is mended here.
        let _: io::Result<()> = inner.save_rest();
        let is_unsettled = inner.is_unsettled;
        if is_changed || is_unsettled || inner.standing(now) != inner.standing_judged {
            self.publish(&mut inner);
        }
    }

    /// The settings that the config records `named` of `account` give, and `values`.
    pub(crate) fn settings(
        &self,
        named: &[wattle_core::Name],
        values: &BTreeMap<String, ConfigValue>,
        account: &AccountKey,
    ) -> Result<Settings, SettingsError> {
        let inner = self.inner.lock();
        settings::resolve(named, values, account, inner.configs(self.clock.now()), &inner.secrets)
    }

    /// Runs `look` on what runs and what is known.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T {
        let inner = self.inner.lock();
        let configs = inner.configs(self.clock.now());
        let Inner { actors, providers, records, .. } = &*inner;
        look(&View { actors, providers, records, configs })
    }

    /// Judges everything anew and swaps what calls see.
    fn publish(&self, inner: &mut Inner) {
        let now = self.clock.now();
        inner.is_unsettled = false;
        inner.refresh_actor_settings(now);
        inner.standing_judged = inner.standing(now);
        let routes = inner.routes(now);
        self.router.swap(routes);
        self.changed.notify_one();
        self.moved.notify_one();
    }
}

/// What a query may look at, while the registry is locked: not for long.
pub(crate) struct View<'a> {
    pub(crate) actors: &'a BTreeMap<EntityId, RunningActor>,
    pub(crate) providers: &'a BTreeMap<EntityId, RunningProvider>,
    pub(crate) records: &'a RecordBook,
    pub(crate) configs: Configs<'a>,
}

/// An id that is being started; free again when this is dropped.
pub(crate) struct Reservation {
    registry: Arc<Registry>,
    id: EntityId,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.registry.inner.lock().reserved.remove(&self.id);
    }
}

/// Digests of all artifacts that run, which the cache must not evict.
pub(crate) fn artifacts_in_use(view: &View<'_>) -> BTreeSet<Digest> {
    let actors = view.actors.values().map(|running| running.start.artifact);
    actors.chain(view.providers.values().map(|running| running.start.artifact)).collect()
}

/// The links of the book: those that users signed, and of deployments those that hold.
pub(crate) fn links<'a>(
    view: &View<'a>,
) -> impl Iterator<Item = (RecordKey, u64, &'a Link)> + use<'a> {
    let records = view.records;
    let signed = records.iter().filter_map(|(key, entry)| match &entry.record {
        Kept::Link(record) => {
            record.body.value.as_ref().map(|link| (key.clone(), entry.generation, link))
        }
        _ => None,
    });
    let declared = declared::links(records).map(|declared| {
        let generation = declared.deployment.body.generation;
        (declared.key, generation, declared.link)
    });
    signed.chain(declared)
}
