//! The contract without a broker: what its messages look like, and what dispatch and delivery let through.

#[path = "contract/memory.rs"]
mod memory;
#[path = "contract/wire.rs"]
mod wire;

use std::{
    pin::pin,
    sync::Mutex,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use memory::{InProcess, Memory};
use wattle_core::{CallError, ErrorKind, Operation, call::Call, codec};
use wattle_messaging::{
    BrokerMessage, Delivery, Links, Scope, conformance, deliver,
    limit::{BODY_LEN_MAX, SUBJECT_LEN_MAX},
    operation,
    wire::{Outcome, Publish, Request},
};

#[test]
fn the_suite_passes_a_broker_that_keeps_the_contract() {
    ready(conformance::run(&InProcess::default()));
}

#[test]
fn a_caller_without_manners_is_held_to_the_same_limits() {
    let publish = |subject: usize, body: usize, reply_to: usize| {
        let msg = BrokerMessage {
            subject: "s".repeat(subject).into(),
            body: vec![0; body].into(),
            reply_to: Some("r".repeat(reply_to)),
        };
        said(operation::PUBLISH, &codec::encode(&Publish { msg }))
    };
    assert_eq!(publish(SUBJECT_LEN_MAX, 1, SUBJECT_LEN_MAX), "Ok");
    for (subject, body, reply_to) in
        [(SUBJECT_LEN_MAX + 1, 1, 1), (1, BODY_LEN_MAX + 1, 1), (1, 1, SUBJECT_LEN_MAX + 1)]
    {
        assert!(publish(subject, body, reply_to).starts_with("too-large: "));
    }
    let params = Request { subject: "".into(), body: b""[..].into(), timeout_ms: 1 };
    assert!(said(operation::REQUEST, &codec::encode(&params)).starts_with("invalid: "));
}

#[test]
fn parameters_of_no_shape_or_another_are_malformed() {
    for params in [&b""[..], b"\xc1", b"\xc0", &codec::encode("text"), &codec::encode(&(1, 2, 3))] {
        for operation in [operation::PUBLISH, operation::REQUEST] {
            let error = call(operation, params).expect_err("no parameters");
            assert_eq!(error.kind, ErrorKind::Malformed, "{operation}");
        }
    }
}

#[test]
fn what_the_contract_does_not_have_is_not_found() {
    for (interface, function) in [
        ("wasmcloud:messaging/consumer", "request-multi"),
        ("wasmcloud:messaging/handler", "handle-message"),
        ("", ""),
    ] {
        let error = call(Operation { interface, function }, b"").expect_err("no such function");
        assert_eq!(error.kind, ErrorKind::NotFound);
    }
}

#[test]
fn a_link_that_is_gone_is_denied() {
    let links = Links::<Memory>::default();
    let Operation { interface, function } = operation::PUBLISH;
    let params = Bytes::new();
    let call = links.dispatch(1, interface, function, &params, Instant::now());
    assert_eq!(ready(call).expect_err("no link").kind, ErrorKind::Denied);
}

#[test]
fn what_came_of_a_message_is_told_by_whether_it_may_be_handed_over_again() {
    let answered = |answer: Result<&Outcome<()>, ErrorKind>| {
        let answer = answer.map(codec::encode).map_err(|kind| CallError::new(kind, "why"));
        ready(deliver(&Answering(Mutex::new(Some(answer))), message(b"body")))
    };
    assert_eq!(answered(Ok(&Ok(()))), Delivery::Handled);
    assert_eq!(answered(Ok(&Err("no".into()))), Delivery::Refused("no".into()));
    for kind in [ErrorKind::Denied, ErrorKind::NotFound, ErrorKind::Overloaded] {
        assert!(matches!(answered(Err(kind)), Delivery::NotRun(_)), "{kind:?}");
    }
    for kind in [ErrorKind::Trapped, ErrorKind::DeadlineExceeded, ErrorKind::Interrupted] {
        assert!(matches!(answered(Err(kind)), Delivery::Unknown(_)), "{kind:?}");
    }
    for kind in [ErrorKind::TooLarge, ErrorKind::Malformed] {
        assert!(matches!(answered(Err(kind)), Delivery::Unfit(_)), "{kind:?}");
    }
}

#[test]
fn a_message_that_fits_into_no_call_is_not_sent() {
    let (nobody, body) = (Answering(Mutex::new(None)), vec![0; BODY_LEN_MAX + 1]);
    let unfit = |message| match ready(deliver(&nobody, message)) {
        Delivery::Unfit(error) => error.kind,
        other => panic!("{other:?}"),
    };
    assert_eq!(unfit(message(&body)), ErrorKind::TooLarge);
    for (subject, kind) in
        [("s".repeat(SUBJECT_LEN_MAX + 1), ErrorKind::TooLarge), ("".into(), ErrorKind::Malformed)]
    {
        assert_eq!(unfit(BrokerMessage { reply_to: Some(subject.clone()), ..message(b"") }), kind);
        assert_eq!(unfit(BrokerMessage { subject: subject.into(), ..message(b"") }), kind);
    }
}

/// An actor with one answer.
struct Answering(Mutex<Option<Result<Vec<u8>, CallError>>>);

impl Call for Answering {
    async fn call(&self, _: Operation, _: Vec<u8>) -> Result<Bytes, CallError> {
        let answer = self.0.lock().expect("no panic").take();
        answer.expect("it is called once").map(Into::into)
    }
}

fn message(body: &[u8]) -> BrokerMessage<'_> {
    BrokerMessage { subject: "subject".into(), body: body.into(), reply_to: None }
}

fn call(operation: Operation, params: &[u8]) -> Result<Vec<u8>, CallError> {
    let links = Links::default();
    let scope = Scope::new(&Default::default(), &['.']).expect("no constraints");
    links.put(7, scope, Memory::default());
    let Operation { interface, function } = operation;
    let params = Bytes::copy_from_slice(params);
    let deadline = Instant::now() + Duration::from_secs(1);
    ready(links.dispatch(7, interface, function, &params, deadline))
}

/// `Ok`, or the text of the WIT's error.
fn said(operation: Operation, params: &[u8]) -> String {
    let result = call(operation, params).expect("an answer");
    let outcome: Outcome<()> = codec::decode(&result, result.len()).expect("a result");
    outcome.map_or_else(|text| text, |()| "Ok".to_owned())
}

/// What a future gives that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a broker in memory waits for nothing"),
    }
}
