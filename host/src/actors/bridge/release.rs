//! Letting go of handles where they were made: one when a guest drops it, and what an instance left when it has ended.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use tokio::time::timeout;
use tracing::{debug, warn};
use wasmtime::StoreContextMut;
use wattle_core::{
    CallError, CallId, Handle, codec,
    handle::{DROPPED_MAX, Dropped},
};
use wattle_wire::Request;

use super::{
    handles::{Held, Owner},
    resources::Resource,
};
use crate::{
    actors::instance::{CallContext, Instance, InstanceCaller},
    router::Origin,
};

/// How long those who made what an instance left may take to let go of it.
const RELEASE_MAX: Duration = Duration::from_secs(10);

/// Handles that an actor's instances left and that are not let go of yet. What is left beyond that, where a provider hangs, say,
/// is dropped by its provider when nobody has used it for long.
const LEFT_MAX: usize = 65_536;

/// Calls at once that let go of what one instance left.
const CALLS_AT_ONCE: usize = 4;

/// How many handles of one actor's instances are being let go of.
#[derive(Debug, Default)]
pub(in crate::actors) struct Releases {
    left: Arc<AtomicUsize>,
}

/// So many of them; fewer again when this is dropped.
struct Leaving {
    left: Arc<AtomicUsize>,
    count: usize,
}

impl Releases {
    fn add(&self, count: usize) -> Option<Leaving> {
        let added = self.left.fetch_update(Relaxed, Relaxed, |left| {
            left.checked_add(count).filter(|left| *left <= LEFT_MAX)
        });
        added.is_ok().then(|| Leaving { left: self.left.clone(), count })
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.left.fetch_sub(self.count, Relaxed);
    }
}

/// A guest drops one. It waits until that is done, so that what it does next finds it done.
///
/// WIT has no place for a failure; where there is one, the instance goes on to hold the handle, and it is tried again at its end.
pub(super) async fn dropped(mut store: StoreContextMut<'_, Instance>, place: u32) {
    let handles = &store.data().handles;
    let Some((held, owner)) = handles.get(place).cloned().zip(handles.owner()) else { return };
    let (caller, resources) = (owner.caller.clone(), owner.resources.clone());
    let Some(resource) = resources.get(held.resource as usize) else { return };
    // As it is now: the owner is from when the instance got its first handle.
    let context = store.data().caller.context();
    match let_go(&caller, &held.origin, resource, &[held.handle], &context).await {
        Ok(()) => store.data_mut().handles.remove(place),
        Err(error) => debug!(actor = %caller.actor.id, %error, "a handle was not dropped yet"),
    }
}

/// An instance has ended: what it left is let go of in the background.
pub(super) fn release(owner: Owner, mut held: Vec<Held>) {
    let actor = owner.caller.actor.clone();
    let count = held.len();
    let Some(leaving) = actor.releases.add(count) else {
        warn!(actor = %actor.id, count, "too many handles are being dropped: these are left to their providers");
        return;
    };
    actor.background.spawn(async move {
        held.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
        let Owner { caller, resources } = owner;
        let context = CallContext {
            id: CallId::from_bytes(rand::random()),
            deadline: Instant::now() + RELEASE_MAX,
            ..caller.context()
        };
        let together = held.chunk_by(|a, b| order(a) == order(b));
        let calls = together.flat_map(|held| held.chunks(DROPPED_MAX)).filter_map(|held| {
            let first = held.first()?;
            let resource = resources.get(first.resource as usize)?;
            let handles: Vec<Handle> = held.iter().map(|held| held.handle).collect();
            Some((&first.origin, resource, handles))
        });
        let (caller, context) = (&caller, &context);
        let all = stream::iter(calls).for_each_concurrent(
            CALLS_AT_ONCE,
            |(origin, resource, handles)| async move {
                let gone = let_go(caller, origin, resource, &handles, context).await;
                if let Err(error) = gone {
                    let (actor, count) = (&caller.actor.id, handles.len());
                    debug!(%actor, count, %error, "handles that an instance left were not dropped");
                }
            },
        );
        let late = timeout(RELEASE_MAX, all).await.is_err();
        if late {
            warn!(actor = %caller.actor.id, count, "handles that an instance left were not dropped in time");
        }
        drop(leaving);
    });
}

fn order(held: &Held) -> (impl Ord + '_, u32) {
    (held.origin.order(), held.resource)
}

async fn let_go(
    caller: &InstanceCaller,
    origin: &Origin,
    resource: &Resource,
    handles: &[Handle],
    context: &CallContext,
) -> Result<(), CallError> {
    let params = codec::encode(&Dropped { handles: handles.into() });
    let request = Request { head: Bytes::new(), params: params.into(), body: None };
    let Resource { interface, drop_function } = resource;
    let called = caller.router.release(origin, interface.as_str(), drop_function, request, context);
    called.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_has_a_limit_and_is_room_again_when_it_is_gone() {
        let releases = Releases::default();
        let first = releases.add(LEFT_MAX - 1).expect("room");
        assert!(releases.add(2).is_none());
        let second = releases.add(1).expect("room");
        drop(first);
        assert!(releases.add(LEFT_MAX).is_none());
        drop(second);
        assert!(releases.add(LEFT_MAX).is_some());
    }
}
