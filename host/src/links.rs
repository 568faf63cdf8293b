//! Tells providers which links they are an end of: one task compares what should hold with what each was told.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
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
};

/// Commands that wait for a pass at once.
const WAITING_MAX: usize = 256;

/// Asks the task for a pass.
#[derive(Clone)]
pub(crate) struct Links {
    passes: mpsc::Sender<oneshot::Sender<()>>,
    outcomes: Arc<parking_lot::Mutex<HashMap<Told, Outcome>>>,
}

/// One end of one link.
type Told = (EntityId, u32);

type Outcome = Result<LinkDetail, String>;

struct Task {
    registry: Arc<Registry>,
    router: Arc<Router>,
    told: BTreeMap<Told, Put>,
    outcomes: Arc<parking_lot::Mutex<HashMap<Told, Outcome>>>,
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
    grant: Result<LinkGrant, String>,
}

impl Links {
    /// Starts the task, which ends with the registry's last other handle.
    pub(crate) fn start(registry: Arc<Registry>, router: Arc<Router>) -> Self {
        let (passes, mut asked) = mpsc::channel::<oneshot::Sender<()>>(WAITING_MAX);
        let outcomes = Arc::new(parking_lot::Mutex::default());
        let mut task =
            Task { registry, router, told: BTreeMap::new(), outcomes: Arc::clone(&outcomes) };
        tokio::spawn(async move {
            loop {
                let done = tokio::select! {
                    asked = asked.recv() => match asked {
                        Some(done) => Some(done),
                        None => return,
                    },
                    () = task.registry.changed() => None,
                };
                task.pass(done.is_some()).await;
                if let Some(done) = done {
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
        let said = provider.links().borrow().get(&number).cloned();
        said.or_else(|| self.outcomes.lock().get(&(id.clone(), number)).cloned())
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
                    let wish = Wish { provider: provider.clone(), serial: *serial, grant };
                    wishes.insert((own.id.clone(), edge.number), wish);
                }
            }
        }
        wishes
    }

    fn grant(&self, edge: &Edge, side: Side) -> Result<LinkGrant, String> {
        let link = &edge.link;
        // Constraints bind the caller, so only the callee is told of them.
        let (config, peer, constraints): (&LinkConfig, &Party, Constraints) = match side {
            Side::Source => (&link.source_config, &link.target, Constraints::new()),
            Side::Target => (&link.target_config, &link.source, link.constraints.clone()),
        };
        let config = self
            .registry
            .settings(&config.named, &config.values, &edge.account)
            .map_err(|error| error.to_string())?;
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
            outcomes.remove(&told);
        }
    }

    async fn give(&mut self, wishes: BTreeMap<Told, Wish>, asked: bool) {
        let due = wishes.into_iter().filter(|(told, wish)| self.is_due(told, wish, asked));
        let given = join_all(due.map(|(told, wish)| async move {
            let outcome = match &wish.grant {
                Ok(grant) => wish.provider.put_link(grant.clone()).await,
                Err(reason) => {
                    // It does not go on as it was before it was changed.
                    wish.provider.delete_link(told.1).await;
                    Err(reason.clone())
                }
            };
            (told, wish, outcome)
        }))
        .await;
        for (told, wish, outcome) in given {
            // The provider did not answer to this: it may go on with what it was told before.
            let said = wish.provider.links().borrow().get(&told.1).cloned();
            let is_stale = outcome.is_err() && said.is_some_and(|said| said.is_ok());
            if is_stale {
                wish.provider.delete_link(told.1).await;
            }
            match wish.grant {
                Ok(_) if is_stale => drop(self.told.remove(&told)),
                Ok(grant) => {
                    let put = Put { provider: wish.provider, serial: wish.serial, grant };
                    self.told.insert(told.clone(), put);
                }
                Err(_) => drop(self.told.remove(&told)),
            }
            let before = self.outcomes.lock().insert(told.clone(), outcome.clone());
            match outcome {
                Err(reason) if before.as_ref() != Some(&Err(reason.clone())) => {
                    warn!(provider = %told.0, link = told.1, %reason, "link failed");
                }
                _ => {}
            }
        }
    }

    fn is_due(&self, told: &Told, wish: &Wish, asked: bool) -> bool {
        let Some(put) = self.told.get(told) else { return true };
        let failed = || !put.provider.links().borrow().get(&told.1).is_some_and(Result::is_ok);
        put.serial != wish.serial || wish.grant.as_ref() != Ok(&put.grant) || (asked && failed())
    }
}

fn own_end(link: &Link, side: Side) -> &Party {
    match side {
        Side::Source => &link.source,
        Side::Target => &link.target,
    }
}
