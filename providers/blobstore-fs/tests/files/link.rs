//! Links to a blob store's process. blobstore-s3 tests itself with this file, too.

use std::time::Duration;

use wattle_blobstore::{Caller, Carry, INTERFACES};
use wattle_core::{CallError, Constraints, Operation, link::Settings};
use wattle_sdk::{
    Body, Reply,
    test_host::{self, TestHost},
};

/// How long each call may take up to the head of its answer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// Between two looks at what is to come by itself.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// How soon files must be closed that nobody needs any more, on a busy machine.
pub(crate) const CLOSED_WITHIN: Duration = Duration::from_secs(30);

/// The calling end of a link.
pub(crate) struct Link(test_host::Link);

impl Carry for Link {
    async fn carry(
        &self,
        operation: Operation,
        params: Vec<u8>,
        body: Option<Body>,
    ) -> Result<Reply, CallError> {
        self.0.carry(operation, params, body).await
    }
}

/// Puts a link and calls over it.
pub(crate) async fn caller(
    host: &TestHost,
    constraints: Constraints,
    config: Settings,
) -> Caller<Link> {
    put_link(host, constraints, config).await.expect("a link").1
}

/// Puts a link, whose number this also answers, or hears why it does not hold.
pub(crate) async fn put_link(
    host: &TestHost,
    constraints: Constraints,
    config: Settings,
) -> Result<(u32, Caller<Link>), String> {
    let link = host.link_to_provider(INTERFACES, constraints, config).await?;
    Ok((link.number(), Caller::new(Link(link.with_deadline(DEADLINE)))))
}
