//! `wasmcloud:messaging/handler`: a message that a provider hands over becomes a guest's `handle-message`. The bridge would hold each
//! byte of a body as a value, and a body may have 4 MiB.

use std::{future::poll_fn, sync::Arc};

use wasmtime::{Store, component::InstancePre};
use wattle_core::{
    CallError, ErrorKind,
    call::PARAMS_LEN_MAX,
    codec::{self, DecodeError},
};
use wattle_messaging::{
    BrokerMessage, Failure, Kind,
    limit::{check_body, check_subject},
    operation,
    wire::{HandleMessage, Outcome},
};
use wattle_wire::{Reply, Request};

use self::wasmcloud::messaging::types;
use super::{
    Actor,
    background::{Guest, leave_the_lane},
    deadline::by_deadline,
    gate::Pass,
    instance::{CallContext, Instance, guest_error},
};
use crate::router::Router;

wasmtime::component::bindgen!({
    path: "../interfaces/messaging/wit",
    world: "handling",
    exports: { default: async },
});

/// Bytes of a message that are copied into a guest on its lane, a fraction of a millisecond's worth: with more, the call goes on in
/// the background.
const LANE_BYTES_MAX: usize = 256 * 1024;

/// An actor that is told of messages, looked up once.
pub(super) struct Handler(HandlingPre<Instance>);

impl Handler {
    /// An actor whose component exports the interface, in any version 0.2.
    pub(super) fn new(pre: InstancePre<Instance>) -> wasmtime::Result<Self> {
        HandlingPre::new(pre).map(Self)
    }

    /// Whether a call is for it.
    pub(super) fn answers(interface: &str, function: &str) -> bool {
        let called = operation::HANDLE_MESSAGE;
        (interface, function) == (called.interface, called.function)
    }
}

/// Hands one message to a fresh instance of `actor`.
///
/// # Cancel safety
/// Dropping the future ends the instance.
pub(super) async fn handle(
    actor: &Arc<Actor>,
    handler: &Handler,
    router: &Arc<Router>,
    request: Request,
    context: CallContext,
    pass: Pass,
) -> Result<Reply, CallError> {
    let deadline = context.deadline;
    let params = request.params;
    let mut store = Instance::store(actor, router, context);
    let (pre, heavy) = (handler.0.clone(), actor.freight.is_heavy());
    let run = Box::pin(async move {
        if heavy || params.len() > LANE_BYTES_MAX {
            leave_the_lane().await;
        }
        let message = message(&params)?;
        drop(params); // the guest's copy is all that is needed while it runs
        let ran = run(&mut store, &pre, message).await;
        ran.map_err(|error| guest_error(&error, store.data()))
    });
    let mut guest = Guest::new(run, actor.background.clone());
    let ran = by_deadline(deadline, poll_fn(|cx| guest.poll(cx))).await;
    drop(pass);
    // An actor's words are for people: as long as an error may be.
    let outcome: Outcome<()> = ran?.map_err(|text| CallError::new(ErrorKind::Failed, text).message);
    Ok(Reply { result: codec::encode(&outcome).into(), body: None })
}

async fn run(
    store: &mut Store<Instance>,
    pre: &HandlingPre<Instance>,
    message: types::BrokerMessage,
) -> wasmtime::Result<Outcome<()>> {
    let actor = pre.instantiate_async(&mut *store).await?;
    actor.wasmcloud_messaging_handler().call_handle_message(store, &message).await
}

/// The message, within the contract's limits whoever sent it.
fn message(params: &[u8]) -> Result<types::BrokerMessage, CallError> {
    let HandleMessage { msg } = codec::decode(params, PARAMS_LEN_MAX).map_err(|error| {
        let kind = match error {
            DecodeError::TooLarge { .. } => ErrorKind::TooLarge,
            DecodeError::Malformed(_) | DecodeError::Trailing => ErrorKind::Malformed,
        };
        CallError::new(kind, format!("{}: {error}", operation::HANDLE_MESSAGE))
    })?;
    let checked = check_subject(&msg.subject).and_then(|()| check_body(&msg.body));
    let checked = checked.and_then(|()| msg.reply_to.as_deref().map_or(Ok(()), check_subject));
    checked.map_err(refused)?;
    let BrokerMessage { subject, body, reply_to } = msg;
    Ok(types::BrokerMessage { subject: subject.into_owned(), body: body.into_owned(), reply_to })
}

fn refused(failure: Failure) -> CallError {
    let kind = match failure.kind {
        Kind::TooLarge => ErrorKind::TooLarge,
        _ => ErrorKind::Malformed,
    };
    CallError::new(kind, format!("{}: {}", operation::HANDLE_MESSAGE, failure.message))
}

#[cfg(test)]
mod tests {
    use wasmtime::{
        Engine,
        component::{Component, Linker},
    };
    use wattle_messaging::limit::{BODY_LEN_MAX, SUBJECT_LEN_MAX};

    use super::*;

    fn read(subject: &str, body: &[u8]) -> Result<types::BrokerMessage, CallError> {
        let msg = BrokerMessage { subject: subject.into(), body: body.into(), reply_to: None };
        message(&codec::encode(&HandleMessage { msg }))
    }

    #[test]
    fn a_message_up_to_the_contract_s_limit_is_taken_and_what_is_past_it_is_too_large() {
        let body = vec![7; BODY_LEN_MAX + 1];
        let taken = read("a", &body[1..]).expect("as large as it may be");
        assert_eq!(taken.body.len(), BODY_LEN_MAX);
        let long = "s".repeat(SUBJECT_LEN_MAX + 1);
        for refused in [read("a", &body), read(&long, b""), read("a", &vec![7; PARAMS_LEN_MAX])] {
            assert_eq!(refused.expect_err("too large").kind, ErrorKind::TooLarge);
        }
        for malformed in [read("", b""), message(b"nonsense")] {
            assert_eq!(malformed.expect_err("none").kind, ErrorKind::Malformed);
        }
    }

    /// A component that exports the interface, as guests' tools make it.
    const HANDLER: &str = r#"(component
        (import "wasmcloud:messaging/types@VERSION" (instance $types
            (type $message (record
                (field "subject" string) (field "body" (list u8)) (field "reply-to" (option string))))
            (export "broker-message" (type (eq $message)))))
        (alias export $types "broker-message" (type $message))
        (core module $module
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "run") (param i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable))
        (core instance $core (instantiate $module))
        (func $run (param "msg" $message) (result (result (error string)))
            (canon lift (core func $core "run") (memory (core memory $core "memory"))
                (realloc (core func $core "realloc"))))
        (instance $handler (export "handle-message" (func $run)))
        (export "wasmcloud:messaging/handler@VERSION" (instance $handler)))"#;

    #[test]
    fn an_actor_may_export_any_version_0_2_and_another_is_named() {
        let engine = Engine::default();
        let found = |version| {
            let component = Component::new(&engine, HANDLER.replace("VERSION", version));
            let pre = Linker::<()>::new(&engine).instantiate_pre(&component.expect("a component"));
            HandlingPre::new(pre.expect("it imports types only")).map(drop)
        };
        for version in ["0.2.0", "0.2.7"] {
            found(version).expect(version);
        }
        let missing = found("0.3.0").expect_err("another contract");
        assert!(format!("{missing:#}").contains(wattle_messaging::HANDLER), "{missing:#}");
    }
}
