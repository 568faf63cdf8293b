//! A store's process as the suite of `watcher` uses it. keyvalue-redis tests itself with this file, too.

use std::time::Duration;

use wattle_core::{CallError, Constraints, codec, link::Settings};
use wattle_keyvalue::{
    Caller, INTERFACES, WATCHER,
    conformance::watcher::{Actor, Change, Stage},
};
use wattle_sdk::{
    IncomingCall, LinkGrant, Reply, Side,
    test_host::{self, Link, TestHost, grant},
};

/// How long anything may take that has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A provider, and what its links say of their store.
pub(crate) struct Watched<'a> {
    pub(crate) host: &'a TestHost,
    pub(crate) target: Settings,
    pub(crate) source: Settings,
}

/// Tells an actor of the suite's what a call says.
fn told(actor: &Actor, call: &IncomingCall) -> Result<Reply, CallError> {
    actor(Change::read(&call.interface, &call.function, &call.params))?;
    Ok(Reply::new(codec::encode(&())))
}

/// A link, or a link once more, that tells an actor of a bucket's keys with these prefixes.
pub(crate) async fn watch(
    host: &TestHost,
    number: u32,
    constraints: Constraints,
    mut config: Settings,
    (bucket, prefixes): (&str, &[&str]),
    actor: Actor,
) -> Result<(), String> {
    config.insert("bucket".to_owned(), bucket.to_owned());
    config.insert("watch".to_owned(), prefixes.join(","));
    host.play(number, test_host::actor(move |call| std::future::ready(told(&actor, &call))));
    let link = grant(number, Side::Source, &[WATCHER]);
    host.put(LinkGrant { constraints, config, ..link }).await.map(drop)
}

impl Stage for Watched<'_> {
    type Call = Link;

    async fn caller(&self) -> Caller<Link> {
        let link = self.host.link_to_provider(INTERFACES, Constraints::new(), self.target.clone());
        Caller::new(link.await.expect("a link"))
    }

    async fn watch(&self, bucket: &str, prefixes: &[&str], constraints: Constraints, actor: Actor) {
        let (number, config) = (self.host.next_link(), self.source.clone());
        let put = watch(self.host, number, constraints, config, (bucket, prefixes), actor);
        put.await.expect("a link");
    }

    async fn too_long(&self) {
        tokio::time::sleep(PATIENCE).await;
    }
}
