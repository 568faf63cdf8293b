//! What a link's constraints keep from its caller.

use wattle_core::Constraints;

use super::{Received, Stage, fails, ok};
use crate::{Kind, SUBJECTS};

pub(super) async fn run(stage: &impl Stage) {
    let subject = |parts: &[&str]| stage.subject(&[&["conformance", "scopes"], parts].concat());
    let (actor, mut received) = Received::by(|_| Ok(()));
    for heard in [&["named"][..], &["any", "x", "new"], &["rest", "a"], &["other"]] {
        stage.listen(&subject(heard), actor.clone()).await;
    }
    let patterns =
        vec![subject(&["named"]), subject(&["any", "*", "new"]), subject(&["rest", ">"])];
    let caller = stage.caller([(SUBJECTS.to_owned(), patterns)].into()).await;
    for denied in [&["other"][..], &["any", "new"], &["any", "x", "y", "new"], &["rest"]] {
        let subject = subject(denied);
        fails(stage, &subject, Kind::Denied, caller.publish(&subject, b"x", None)).await;
        fails(stage, &subject, Kind::Denied, caller.request(&subject, b"x", 1_000)).await;
    }
    for allowed in [&["named"][..], &["any", "x", "new"], &["rest", "a"]] {
        let subject = subject(allowed);
        ok(stage, "publish", caller.publish(&subject, b"x", None)).await;
        assert_eq!(*received.next(stage).await.subject, subject, "and nothing that was denied");
    }
    let nothing: Constraints = [(SUBJECTS.to_owned(), vec![])].into();
    let caller = stage.caller(nothing).await;
    let named = subject(&["named"]);
    fails(stage, "nothing named", Kind::Denied, caller.publish(&named, b"x", None)).await;
}
