//! Requests find their answers, or say that there is none.

use std::sync::Arc;

use wattle_core::Constraints;

use super::{Actor, Received, Stage, fails, ok};
use crate::Kind;

/// Longer than any answer of an actor that answers.
const PATIENT_MS: u32 = 10_000;
/// Long enough to be sent.
const IMPATIENT_MS: u32 = 1_000;

pub(super) async fn run(stage: &impl Stage) {
    an_actor_answers_by_publishing(stage).await;
    a_request_that_nobody_answers_times_out(stage).await;
    a_request_to_nobody_fails(stage).await;
}

async fn an_actor_answers_by_publishing(stage: &impl Stage) {
    let subject = stage.subject(&["conformance", "request"]);
    let answering = Arc::new(stage.caller(Constraints::new()).await);
    let actor: Actor = Arc::new(move |message| {
        let answering = Arc::clone(&answering);
        Box::pin(async move {
            let reply_to = message.reply_to.ok_or("no one waits")?;
            let body = [b"re: ", &*message.body].concat();
            answering.publish(&reply_to, &body, None).await.map_err(|failure| failure.to_string())
        })
    });
    stage.listen(&subject, actor).await;
    let caller = stage.caller(Constraints::new()).await;
    for question in [&b"a"[..], b"b", b"\xff\x00"] {
        let request = caller.request(&subject, question, PATIENT_MS);
        let answer = ok(stage, "request", request).await;
        assert_eq!(&*answer.body, [b"re: ", question].concat());
    }
}

async fn a_request_that_nobody_answers_times_out(stage: &impl Stage) {
    let subject = stage.subject(&["conformance", "silent"]);
    let (actor, mut received) = Received::by(|_| Ok(()));
    stage.listen(&subject, actor).await;
    let caller = stage.caller(Constraints::new()).await;
    let request = caller.request(&subject, b"?", IMPATIENT_MS);
    fails(stage, "a request without an answer", Kind::Timeout, request).await;
    assert_eq!(&*received.next(stage).await.body, b"?");
}

async fn a_request_to_nobody_fails<S: Stage>(stage: &S) {
    let subject = stage.subject(&["conformance", "nobody"]);
    let caller = stage.caller(Constraints::new()).await;
    let (kind, wait) = match S::KNOWS_RESPONDERS {
        true => (Kind::NoResponders, PATIENT_MS),
        false => (Kind::Timeout, IMPATIENT_MS),
    };
    let request = caller.request(&subject, b"?", wait);
    fails(stage, "a request to nobody", kind, request).await;
}
