//! What is published reaches whoever listens, as it was and in its order.

use wattle_core::Constraints;

use super::{Received, Stage, ok};

/// Enough that one overtakes another if it can.
const MESSAGES: u32 = 200;

pub(super) async fn run(stage: &impl Stage) {
    a_message_arrives_as_it_was(stage).await;
    messages_of_one_subject_keep_their_order(stage).await;
    an_error_of_the_actor_does_not_stop_what_follows(stage).await;
}

async fn a_message_arrives_as_it_was(stage: &impl Stage) {
    let subject = stage.subject(&["conformance", "publish"]);
    let (actor, mut received) = Received::by(|_| Ok(()));
    stage.listen(&subject, actor).await;
    let caller = stage.caller(Constraints::new()).await;
    let every_byte: Vec<u8> = (0..=255).collect();
    for body in [&b""[..], b"text", &every_byte] {
        ok(stage, "publish", caller.publish(&subject, body, None)).await;
        let message = received.next(stage).await;
        assert_eq!((&*message.subject, &*message.body), (&*subject, body));
        assert_eq!(message.reply_to, None);
    }
    let answers = stage.subject(&["conformance", "answers"]);
    ok(stage, "publish", caller.publish(&subject, b"?", Some(&answers))).await;
    assert_eq!(received.next(stage).await.reply_to, Some(answers));
}

async fn messages_of_one_subject_keep_their_order(stage: &impl Stage) {
    let subject = stage.subject(&["conformance", "order"]);
    let (actor, mut received) = Received::by(|_| Ok(()));
    stage.listen(&subject, actor).await;
    let caller = stage.caller(Constraints::new()).await;
    for number in 0..MESSAGES {
        ok(stage, "publish", caller.publish(&subject, &number.to_be_bytes(), None)).await;
    }
    for number in 0..MESSAGES {
        assert_eq!(&*received.next(stage).await.body, number.to_be_bytes());
    }
}

async fn an_error_of_the_actor_does_not_stop_what_follows(stage: &impl Stage) {
    let subject = stage.subject(&["conformance", "refused"]);
    let (actor, mut received) = Received::by(|message| match &*message.body {
        b"bad" => Err("I do not like it".into()),
        _ => Ok(()),
    });
    stage.listen(&subject, actor).await;
    let caller = stage.caller(Constraints::new()).await;
    for body in [&b"bad"[..], b"good"] {
        ok(stage, "publish", caller.publish(&subject, body, None)).await;
    }
    assert_eq!(&*received.next(stage).await.body, b"bad");
    assert_eq!(&*received.next(stage).await.body, b"good");
}
