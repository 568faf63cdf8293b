//! Tells providers which links they are an end of: one task compares what should hold with what each was told.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};
use wattle_core::{
    Constraints, EntityId, Link,
    entity::{Identity, Party},
    link::LinkConfig,
    provider::{LinkDetail, LinkGrant, Side},
};

use crate::{
    providers::Provider,
    registry::{Registry, identity_of_provider},
    router::{Edge, Router},
    settings::SettingsError,
};

/// A link whose settings cannot be had is looked at again after this: a secret's file tells nobody that it is there by now.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// Commands that wait for a pass at once.
const WAITING_MAX: usize = 256;

/// Asks the task for a pass.
#[derive(Clone)]
pub(crate) struct Links {
    passes: mpsc::Sender<oneshot::Sender<()>>,
    outcomes: Arc<parking_lot::Mutex<Outcomes>>,
}

/// What came of telling providers.
#[derive(Default)]
struct Outcomes {
    told: HashMap<Told, Outcome>,
    /// Why the settings of a link cannot be had.
    unmade: BTreeMap<Told, String>,
}

/// One end of one link.
type Told = (EntityId, u32);

type Outcome = Result<LinkDetail, String>;

struct Task {
    registry: Arc<Registry>,
    router: Arc<Router>,
    told: BTreeMap<Told, Put>,
    outcomes: Arc<parking_lot::Mutex<Outcomes>>,
}

/// What a provider was told, and which provider it was.
struct Put {
    provider: Provider,
    serial: u64,
    grant: LinkGrant,
}

/// What a provider should be told.
struct Wish {
    provider: Provider,
    serial: u64,
    side: Side,
    grant: Result<LinkGrant, SettingsError>,
}

impl Links {
    /// Starts the task, which ends with the registry's last other handle.
    pub(crate) fn start(registry: Arc<Registry>, router: Arc<Router>) -> Self {
        let (passes, mut asked) = mpsc::channel::<oneshot::Sender<()>>(WAITING_MAX);
        let outcomes: Arc<parking_lot::Mutex<Outcomes>> = Arc::default();
        let mut task =
            Task { registry, router, told: BTreeMap::new(), outcomes: Arc::clone(&outcomes) };
        tokio::spawn(async move {
            loop {
                // Who asked meanwhile waits for one pass, not each for one of their own.
                let mut waiting = Vec::new();
                let is_unmade = !task.outcomes.lock().unmade.is_empty();
                tokio::select! {
                    count = asked.recv_many(&mut waiting, WAITING_MAX) => if count == 0 { return },
                    () = task.registry.changed() => {}
                    () = tokio::time::sleep(RETRY_AFTER), if is_unmade => {}
                };
                task.pass(!waiting.is_empty()).await;
                for done in waiting {
                    let _: Result<(), ()> = done.send(());
                }
            }
        });
        Self { passes, outcomes }
    }

    /// Waits until every provider was told what holds now and has answered.
    pub(crate) async fn settle(&self) {
        let (done, told) = oneshot::channel();
        if self.passes.send(done).await.is_ok() {
            let _: Result<(), _> = told.await;
        }
    }

    /// What `provider`, which runs as `id`, made of the link `number`; nothing if it was never told. What it said last counts:
    /// after a restart a link may fail that held before.
    pub(crate) fn outcome(
        &self,
        id: &EntityId,
        provider: &Provider,
        number: u32,
    ) -> Option<Outcome> {
        let (outcomes, told) = (self.outcomes.lock(), (id.clone(), number));
        if let Some(reason) = outcomes.unmade.get(&told) {
            return Some(Err(reason.clone()));
        }
        let said = provider.links().borrow().get(&number).cloned();
        said.or_else(|| outcomes.told.get(&told).cloned())
    }
}

impl Task {
    /// `asked`: somebody waits for what comes of it, so what failed the last time is tried again.
    async fn pass(&mut self, asked: bool) {
        let wishes = self.wishes();
        self.take_back(&wishes).await;
        self.give(wishes, asked).await;
    }

    /// Every end of every link that holds, where a provider is.
    fn wishes(&self) -> BTreeMap<Told, Wish> {
        let providers: BTreeMap<EntityId, (Provider, u64, Identity)> = self.registry.look(|view| {
            let each = view.providers.iter();
            each.map(|(id, running)| {
                let identity = identity_of_provider(&running.claims);
                (id.clone(), (running.provider.clone(), running.serial, identity))
            })
            .collect()
        });
        let (routes, now) = (self.router.routes(), self.registry.now());
        let mut wishes = BTreeMap::new();
        for edge in routes.edges() {
            for side in [Side::Source, Side::Target] {
                let own = own_end(&edge.link, side);
                // Who calls keeps a link that stopped holding: the router denies each call, and the outside sees an answer
                // instead of a closed port.
                let keeps =
                    side == Side::Source && self.told.contains_key(&(own.id.clone(), edge.number));
                let holds = match side {
                    Side::Source => edge.holds(now),
                    Side::Target => edge.holds(now) || edge.holds_for_others(now),
                };
                if !holds && !keeps {
                    continue;
                }
                let found = providers.get(&own.id);
                // What a link says to one party, its secrets too, is for no other under the same id.
                let found = found.filter(|(_, _, identity)| *identity == own.identity);
                if let Some((provider, serial, _)) = found {
                    let grant = self.grant(edge, side);
                    let wish = Wish { provider: provider.clone(), serial: *serial, side, grant };
                    wishes.insert((own.id.clone(), edge.number), wish);
                }
            }
        }
        wishes
    }

    fn grant(&self, edge: &Edge, side: Side) -> Result<LinkGrant, SettingsError> {
        let link = &edge.link;
        // Constraints bind the caller, so only the callee is told of them.
        let (config, peer, constraints): (&LinkConfig, &Party, Constraints) = match side {
            Side::Source => (&link.source_config, &link.target, Constraints::new()),
            Side::Target => (&link.target_config, &link.source, link.constraints.clone()),
        };
        let config = self.registry.settings(&config.named, &config.values, &edge.account)?;
        Ok(LinkGrant {
            link: edge.number,
            side,
            peer: peer.clone(),
            name: link.name.clone(),
            interfaces: link.interfaces.clone(),
            constraints,
            config,
        })
    }

    async fn take_back(&mut self, wishes: &BTreeMap<Told, Wish>) {
        let gone: Vec<Told> =
            self.told.keys().filter(|told| !wishes.contains_key(*told)).cloned().collect();
        let puts = gone.iter().filter_map(|told| self.told.remove(told));
        let puts: Vec<Put> = puts.collect();
        join_all(puts.iter().map(|put| {
            debug!(link = put.grant.link, "link taken back");
            put.provider.delete_link(put.grant.link)
        }))
        .await;
        let mut outcomes = self.outcomes.lock();
        for told in gone {
            outcomes.told.remove(&told);
        }
        outcomes.unmade.retain(|told, _| wishes.contains_key(told));
    }

    async fn give(&mut self, wishes: BTreeMap<Told, Wish>, asked: bool) {
        let (mut due, mut gone) = (Vec::new(), Vec::new());
        for (told, wish) in wishes {
            match &wish.grant {
                Ok(grant) => {
                    self.outcomes.lock().unmade.remove(&told);
                    if self.is_due(&told, &wish, grant, asked) {
                        due.push((told, wish.provider, wish.serial, grant.clone()));
                    }
                }
                Err(error) if self.cannot(&told, &wish, error) => {}
                Err(_) => gone.push((told.1, wish.provider)),
            }
        }
        let gone = join_all(gone.iter().map(|(link, provider)| provider.delete_link(*link)));
        let given = join_all(due.into_iter().map(|(told, provider, serial, grant)| async move {
            let outcome = provider.put_link(grant.clone()).await;
            (told, Put { provider, serial, grant }, outcome)
        }));
        let (_, given) = tokio::join!(gone, given);
        for (told, put, outcome) in given {
            // The provider did not answer to this: it may go on with what it was told before.
            let said = put.provider.links().borrow().get(&told.1).cloned();
            let is_stale = outcome.is_err() && said.is_some_and(|said| said.is_ok());
            if is_stale {
                put.provider.delete_link(told.1).await;
                self.told.remove(&told);
            } else {
                self.told.insert(told.clone(), put);
            }
            let before = self.outcomes.lock().told.insert(told.clone(), outcome.clone());
            match outcome {
                Err(reason) if before.as_ref() != Some(&Err(reason.clone())) => {
                    warn!(provider = %told.0, link = told.1, %reason, "link failed");
                }
                _ => {}
            }
        }
    }

    /// The settings of a link cannot be had; whether it goes on all the same. A callee does not go on as it was before the link was changed. A caller does, like over
    /// a link that stopped holding: what a broker keeps for it is not to be given up for a secret that is being replaced. What
    /// nobody may say any more, nobody goes on with.
    fn cannot(&mut self, told: &Told, wish: &Wish, error: &SettingsError) -> bool {
        let goes_on = wish.side == Side::Source
            && !matches!(error, SettingsError::Withdrawn { .. })
            && self.told.get(told).is_some_and(|put| put.serial == wish.serial);
        if !goes_on {
            self.told.remove(told);
            self.outcomes.lock().told.remove(told);
        }
        let reason = error.to_string();
        let before = self.outcomes.lock().unmade.insert(told.clone(), reason.clone());
        if before.as_ref() != Some(&reason) {
            warn!(provider = %told.0, link = told.1, %reason, "link failed");
        }
        goes_on
    }

    fn is_due(&self, told: &Told, wish: &Wish, grant: &LinkGrant, asked: bool) -> bool {
        let Some(put) = self.told.get(told) else { return true };
        let failed = || !put.provider.links().borrow().get(&told.1).is_some_and(Result::is_ok);
        put.serial != wish.serial || *grant != put.grant || (asked && failed())
    }
}

fn own_end(link: &Link, side: Side) -> &Party {
    match side {
        Side::Source => &link.source,
        Side::Target => &link.target,
    }
}
