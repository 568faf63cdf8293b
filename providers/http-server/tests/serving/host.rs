//! The provider's process, and links to the actor of [`crate::actor`].

use std::{net::SocketAddr, sync::Arc};

use wattle_core::link::Settings;
use wattle_sdk::{
    LinkDetail, LinkGrant, Side,
    test_host::{self, Launch, TestHost, actor},
};

use crate::actor::Actor;

/// A running `wattle-http-server` with the test as its host.
pub(crate) struct Host {
    pub(crate) actor: Arc<Actor>,
    pub(crate) process: TestHost,
}

impl Host {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts the process with these settings of its own, and waits until it is ready.
    pub(crate) async fn start_with(config: &[(&str, &str)]) -> Self {
        let launch = Launch::new(env!("CARGO_BIN_EXE_wattle-http-server"));
        let launch = config.iter().fold(launch, |launch, &(name, value)| launch.set(name, value));
        let (actor, process) = (Arc::default(), TestHost::start(launch).await);
        Self { actor, process }
    }

    /// Puts a link with these settings.
    pub(crate) async fn put(
        &self,
        link: u32,
        config: &[(&str, &str)],
    ) -> Result<LinkDetail, String> {
        self.put_grant(grant(link, config)).await
    }

    pub(crate) async fn put_grant(&self, grant: LinkGrant) -> Result<LinkDetail, String> {
        self.play(grant.link);
        self.process.put(grant).await
    }

    /// Puts the actor at a link's other end.
    pub(crate) fn play(&self, link: u32) {
        let answers = Arc::clone(&self.actor);
        self.process.play(link, actor(move |call| Arc::clone(&answers).answer(call)));
    }

    /// Puts a link at a free port with these further settings and says where it is served.
    pub(crate) async fn serve(&self, link: u32, config: &[(&str, &str)]) -> SocketAddr {
        let config = [&[("address", "127.0.0.1:0")], config].concat();
        address_of(&self.put(link, &config).await.expect("a link"))
    }

    pub(crate) async fn delete(&self, link: u32) {
        self.process.delete(link).await;
    }
}

/// A grant as a host that is content with everything would make it.
pub(crate) fn grant(link: u32, config: &[(&str, &str)]) -> LinkGrant {
    let config: Settings =
        config.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    LinkGrant { config, ..test_host::grant(link, Side::Source, &["wasi:http/incoming-handler"]) }
}

/// The address in a link's URL.
pub(crate) fn address_of(detail: &LinkDetail) -> SocketAddr {
    let url: http::Uri = detail.url.as_deref().expect("a URL").parse().expect("a URL");
    url.authority().expect("an authority").as_str().parse().expect("an address")
}
