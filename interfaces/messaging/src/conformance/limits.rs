//! What is past its limit is refused before anything is sent, and the link goes on.

use wattle_core::Constraints;

use super::{Received, Stage, fails, ok};
use crate::{
    Kind,
    limit::{BODY_LEN_MAX, SUBJECT_LEN_MAX},
};

pub(super) async fn run(stage: &impl Stage) {
    let subject = stage.subject(&["conformance", "limits"]);
    let (actor, mut received) = Received::by(|_| Ok(()));
    stage.listen(&subject, actor).await;
    let caller = stage.caller(Constraints::new()).await;

    let too_large = vec![7; BODY_LEN_MAX + 1];
    let publish = caller.publish(&subject, &too_large, None);
    fails(stage, "a body that fits into no call", Kind::TooLarge, publish).await;
    if stage.body_len_max() < BODY_LEN_MAX {
        let too_large = &too_large[..stage.body_len_max() + 1];
        let publish = caller.publish(&subject, too_large, None);
        fails(stage, "a body that the broker does not take", Kind::TooLarge, publish).await;
        let request = caller.request(&subject, too_large, 1_000);
        fails(stage, "a request that the broker does not take", Kind::TooLarge, request).await;
    }
    let long = "s".repeat(SUBJECT_LEN_MAX + 1);
    fails(stage, "a long subject", Kind::TooLarge, caller.publish(&long, b"", None)).await;
    fails(stage, "no subject", Kind::Invalid, caller.publish("", b"", None)).await;
    fails(stage, "no subject", Kind::Invalid, caller.publish(&subject, b"", Some(""))).await;

    let largest = vec![7; stage.body_len_max()];
    ok(stage, "publish", caller.publish(&subject, &largest, None)).await;
    let message = received.next(stage).await;
    assert!(*message.body == *largest, "nothing came before it, and it came whole");
}
