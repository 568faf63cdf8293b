//! `wasi:keyvalue/watcher`: a change of which a store's provider tells becomes a guest's `on-set` or `on-delete`. The bucket that the
//! guest is given is a handle of its instance: what it does with it goes over a link of the actor's own, or is denied.

use std::{future::poll_fn, sync::Arc};

use bytes::Bytes;
use wasmtime::{
    Store,
    component::{InstancePre, Resource},
};
use wattle_core::{
    CallError, ErrorKind, Operation,
    call::{PARAMS_LEN_MAX, unknown_function},
    codec::{self, DecodeError},
};
use wattle_keyvalue::{
    Failure,
    limit::{check_bucket, check_key, check_value},
    operation::{ON_DELETE, ON_SET},
    wire::{OnDelete, OnSet},
};
use wattle_wire::{Reply, Request};

use super::{
    Actor,
    background::{Guest, leave_the_lane},
    deadline::by_deadline,
    gate::Pass,
    imports::keyvalue::Bucket,
    instance::{CallContext, Instance, guest_error},
};
use crate::router::Router;

wasmtime::component::bindgen!({
    path: "../interfaces/keyvalue/wit",
    world: "watching",
    exports: { default: async },
    with: { "wasi:keyvalue/store": crate::actors::imports::keyvalue::wasi::keyvalue::store },
});

/// Bytes of a value that are copied into a guest on its lane, a fraction of a millisecond's worth: with more, the call goes on in
/// the background.
const LANE_BYTES_MAX: usize = 256 * 1024;

/// An actor that is told of changes, looked up once.
pub(super) struct Watcher(WatchingPre<Instance>);

/// What an actor is told.
#[derive(Debug)]
struct Change {
    bucket: String,
    key: String,
    /// What the key has now; nothing if it is gone.
    value: Option<Vec<u8>>,
}

impl Watcher {
    /// An actor whose component exports the interface.
    pub(super) fn new(pre: InstancePre<Instance>) -> wasmtime::Result<Self> {
        WatchingPre::new(pre).map(Self)
    }
}

/// Tells a fresh instance of `actor` of one change.
///
/// # Cancel safety
/// Dropping the future ends the instance.
pub(super) async fn tell(
    actor: &Arc<Actor>,
    watcher: &Watcher,
    router: &Arc<Router>,
    function: &str,
    request: Request,
    context: CallContext,
    pass: Pass,
) -> Result<Reply, CallError> {
    let operation = [ON_SET, ON_DELETE].into_iter().find(|known| known.function == function);
    let operation = operation.ok_or_else(|| unknown_function(ON_SET.interface, function))?;
    let deadline = context.deadline;
    let params = request.params;
    let mut store = Instance::store(actor, router, context);
    let (pre, heavy) = (watcher.0.clone(), actor.freight.is_heavy());
    let run = Box::pin(async move {
        if heavy || params.len() > LANE_BYTES_MAX {
            leave_the_lane().await;
        }
        let change = change(operation, &params)?;
        drop(params); // the guest's copy is all that is needed while it runs
        let ran = run(&mut store, &pre, change).await;
        ran.map_err(|error| guest_error(&error, store.data()))
    });
    let mut guest = Guest::new(run, actor.background.clone());
    let ran = by_deadline(deadline, poll_fn(|cx| guest.poll(cx))).await;
    drop(pass);
    let nothing: Bytes = codec::encode(&ran?).into();
    Ok(Reply { result: nothing, body: None })
}

async fn run(
    store: &mut Store<Instance>,
    pre: &WatchingPre<Instance>,
    change: Change,
) -> wasmtime::Result<()> {
    let actor = pre.instantiate_async(&mut *store).await?;
    let bucket: Resource<Bucket> = store.data_mut().table.push(Bucket::new(change.bucket))?;
    let watcher = actor.wasi_keyvalue_watcher();
    match change.value {
        Some(value) => watcher.call_on_set(store, bucket, &change.key, &value).await,
        None => watcher.call_on_delete(store, bucket, &change.key).await,
    }
}

/// The change, within the contract's limits whoever tells of it.
fn change(operation: Operation, params: &[u8]) -> Result<Change, CallError> {
    let change = if operation == ON_SET {
        let OnSet { bucket, key, value } = decode(operation, params)?;
        let (bucket, key) = (bucket.into_owned(), key.into_owned());
        Change { bucket, key, value: Some(value.into_owned()) }
    } else {
        let OnDelete { bucket, key } = decode(operation, params)?;
        Change { bucket: bucket.into_owned(), key: key.into_owned(), value: None }
    };
    let checked = check_bucket(&change.bucket).and_then(|()| check_key(&change.key));
    let checked = checked.and_then(|()| change.value.as_deref().map_or(Ok(()), check_value));
    checked.map_err(|failure| match failure {
        Failure::Call(error) => CallError::new(error.kind, format!("{operation}: {error}")),
        Failure::Store(error) => {
            CallError::new(ErrorKind::Malformed, format!("{operation}: {error}"))
        }
    })?;
    Ok(change)
}

fn decode<'a, T: serde::Deserialize<'a>>(
    operation: Operation,
    params: &'a [u8],
) -> Result<T, CallError> {
    codec::decode(params, PARAMS_LEN_MAX).map_err(|error| {
        let kind = match error {
            DecodeError::TooLarge { .. } => ErrorKind::TooLarge,
            DecodeError::Malformed(_) | DecodeError::Trailing => ErrorKind::Malformed,
        };
        CallError::new(kind, format!("{operation}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use wattle_keyvalue::limit::{BUCKET_LEN_MAX, KEY_LEN_MAX, VALUE_LEN_MAX};

    use super::*;

    fn set(bucket: &str, key: &str, value: &[u8]) -> Result<Change, CallError> {
        let set = OnSet { bucket: bucket.into(), key: key.into(), value: value.into() };
        change(ON_SET, &codec::encode(&set))
    }

    #[test]
    fn a_change_up_to_the_contract_s_limits_is_taken_and_what_is_past_them_is_too_large() {
        let value = vec![7; VALUE_LEN_MAX + 1];
        let (bucket, key) = ("b".repeat(BUCKET_LEN_MAX + 1), "k".repeat(KEY_LEN_MAX + 1));
        let taken = set(&bucket[1..], &key[1..], &value[1..]).expect("as large as it may be");
        assert_eq!(taken.value.map(|value| value.len()), Some(VALUE_LEN_MAX));
        for refused in [set("b", "k", &value), set("b", &key, b""), set(&bucket, "k", b"")] {
            assert_eq!(refused.expect_err("too large").kind, ErrorKind::TooLarge);
        }
        for malformed in [set("b", "", b""), change(ON_SET, b"nonsense"), change(ON_DELETE, b"")] {
            assert_eq!(malformed.expect_err("none").kind, ErrorKind::Malformed);
        }
        let gone = OnDelete { bucket: "b".into(), key: "k".into() };
        let gone = change(ON_DELETE, &codec::encode(&gone)).expect("a change");
        assert_eq!((gone.key.as_str(), gone.value), ("k", None));
    }
}
