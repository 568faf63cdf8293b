//! The provider's life, as its host directs it: start, links one at a time, drain.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::mpsc, time::timeout};
use tracing::{error, warn};
use wattle_core::{
    CallError,
    codec::{self, DecodeError},
    provider::{CONTROL_LEN_MAX, LinkDetail, LinkGrant, Side, Start, ToHost, ToProvider},
};

use crate::{Context, LinkError, Provider, StartError, host::Host, telemetry};

/// Control messages that wait for their turn: a host may put all of a provider's links at once.
pub(crate) const MESSAGES_MAX: usize = 16_384;

/// The provider could not start; its host was told why.
#[derive(Debug)]
pub(crate) struct Failed;

/// Does what the host says until the host is gone.
pub(crate) async fn run<P: Provider>(
    host: Host,
    slot: Arc<OnceLock<Arc<P>>>,
    mut messages: mpsc::Receiver<Bytes>,
) -> Result<(), Failed> {
    let Some(first) = messages.recv().await else { return Ok(()) };
    let provider = match start::<P>(&host, &first).await {
        Ok(provider) => Arc::new(provider),
        Err(reason) => {
            let reason = shortened(reason.to_string());
            error!(%reason, "the provider cannot start");
            say(&host, &ToHost::Failed { reason });
            return Err(Failed);
        }
    };
    slot.get_or_init(|| Arc::clone(&provider));
    say(&host, &ToHost::Ready);
    let (orders, mut ordered) = mpsc::channel(MESSAGES_MAX);
    let sorting = tokio::spawn(sort(host.clone(), messages, orders));
    while let Some(order) = ordered.recv().await {
        obey(&host, &provider, order).await;
    }
    sorting.abort();
    Ok(())
}

/// What is said of leases is heard at once: a link that takes its time, or waits for a lease, does not stand in the way.
async fn sort(host: Host, mut messages: mpsc::Receiver<Bytes>, orders: mpsc::Sender<ToProvider>) {
    while let Some(message) = messages.recv().await {
        match decode(&message) {
            Ok(ToProvider::Lease { lease, news }) => host.leases().hear(lease, news),
            Ok(order) => {
                if orders.send(order).await.is_err() {
                    return;
                }
            }
            // A later version's host says more than this one knows.
            Err(error) => warn!(%error, "a control message was not understood"),
        }
    }
}

async fn start<P: Provider>(host: &Host, message: &[u8]) -> Result<P, StartError> {
    let start: Start = match decode(message) {
        Ok(ToProvider::Start(start)) => start,
        Ok(_) => return Err(StartError::new("the host's first message is not how to start")),
        Err(error) => return Err(StartError::new(format!("the host's first message: {error}"))),
    };
    telemetry::init(&start.log);
    let context = Context { start, host: host.clone() };
    let started = tokio::spawn(async move { P::start(context).await });
    started.await.unwrap_or_else(|_| Err(StartError::new("it panicked while it started")))
}

async fn obey<P: Provider>(host: &Host, provider: &Arc<P>, message: ToProvider) {
    match message {
        ToProvider::Start(_) => warn!("the host said a second time how to start"),
        ToProvider::Lease { lease, news } => host.leases().hear(lease, news),
        ToProvider::PutLink(grant) => put_link(host, provider, grant).await,
        ToProvider::DeleteLink { link } => {
            let owner = Arc::clone(provider);
            guarded("a link was deleted", async move { owner.delete_link(link).await }).await;
            host.leases().link_deleted(link);
            say(host, &ToHost::LinkDeleted { link });
        }
        ToProvider::Drain { grace_ms } => {
            let owner = Arc::clone(provider);
            let grace = Duration::from_millis(grace_ms.into());
            let drain = guarded("it was drained", async move { owner.drain().await });
            if timeout(grace, drain).await.is_err() {
                warn!(?grace, "not everything under way ended in time");
            }
            say(host, &ToHost::Drained);
        }
    }
}

async fn put_link<P: Provider>(host: &Host, provider: &Arc<P>, grant: LinkGrant) {
    let (link, side) = (grant.link, grant.side);
    let owner = Arc::clone(provider);
    let outcome: Result<LinkDetail, LinkError> = match check_constraints::<P>(&grant) {
        Ok(()) => {
            let put = tokio::spawn(async move { owner.put_link(grant).await });
            put.await.unwrap_or_else(|_panic| {
                Err(LinkError::new("the provider panicked while it took the link"))
            })
        }
        Err(unknown) => Err(unknown),
    };
    if outcome.is_err() && side == Side::Target {
        // What the link allowed before it was changed must not go on to be allowed.
        let owner = Arc::clone(provider);
        guarded("a link failed", async move { owner.delete_link(link).await }).await;
    }
    let outcome = outcome.map_err(|reason| shortened(reason.to_string()));
    say(host, &ToHost::LinkPut { link, outcome });
}

/// What nobody would hold the caller to must not be granted.
fn check_constraints<P: Provider>(grant: &LinkGrant) -> Result<(), LinkError> {
    let unknown = grant.constraints.keys().find(|name| !P::CONSTRAINTS.contains(&name.as_str()));
    let Some(unknown) = unknown else { return Ok(()) };
    let known = match P::CONSTRAINTS {
        [] => "there are none for it".to_owned(),
        known => format!("it knows {}", known.join(", ")),
    };
    Err(LinkError::new(format!("the provider knows no constraint {unknown:?}: {known}")))
}

/// Runs a step whose panic must not end the provider's life; the panic itself is logged by the hook.
async fn guarded(what: &'static str, step: impl Future<Output = ()> + Send + 'static) {
    if tokio::spawn(step).await.is_err() {
        error!("the provider panicked while {what}");
    }
}

fn decode(message: &[u8]) -> Result<ToProvider, DecodeError> {
    codec::decode(message, CONTROL_LEN_MAX)
}

/// A host that is gone hears nothing, and this process ends with it.
fn say(host: &Host, message: &ToHost) {
    let _ = host.first().control(codec::encode(message));
}

/// Reasons are for people: cut as errors are, so that they always fit into a message.
fn shortened(reason: String) -> String {
    CallError::new(wattle_core::ErrorKind::Failed, reason).message
}
