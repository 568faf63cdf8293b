//! What a broker keeps is handed over again until the actor has handled it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::{Received, Stage, ok};

pub(super) async fn run(stage: &impl Stage) {
    let subject = stage.subject(&["conformance", "kept"]);
    let refused = AtomicU32::new(0);
    let (actor, mut received) = Received::by(move |message| {
        let first_two = || refused.fetch_add(1, Ordering::Relaxed) < 2;
        if *message.body == *b"difficult" && first_two() { Err("not now".into()) } else { Ok(()) }
    });
    let Some(caller) = stage.listen_kept(&subject, actor).await else { return };
    for body in [&b"difficult"[..], b"easy"] {
        ok(stage, "publish", caller.publish(&subject, body, None)).await;
    }
    let mut bodies = Vec::new();
    for _ in 0..4 {
        bodies.push(received.next(stage).await.body.into_owned());
    }
    let difficult = bodies.iter().filter(|body| **body == b"difficult").count();
    assert_eq!(difficult, 3, "two refusals and a success: {bodies:?}");
}
