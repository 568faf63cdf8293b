//! The provider: links come and go, each with its timers.

use std::sync::Arc;

use wattle_sdk::{
    Context, LinkDetail, LinkError, LinkGrant, Provider, Side, StartError,
    handing::{Actor, Handlers, Work},
};

use crate::{link::Link, settings::LinkSettings};

/// The lease of a link whose holder runs the link's timers.
const LEASE: &str = "timers";

/// `wattle:schedule` by this machine's clock.
#[derive(Debug)]
pub struct Timer {
    context: Context,
    links: Handlers,
}

impl Provider for Timer {
    async fn start(context: Context) -> Result<Self, StartError> {
        match context.start.config.keys().find(|name| *name != "data-dir") {
            Some(name) => {
                let text = format!("setting {name}: the provider has none, its links have them");
                Err(StartError::new(text))
            }
            None => Ok(Self { context, links: Handlers::default() }),
        }
    }

    async fn put_link(&self, link: LinkGrant) -> Result<LinkDetail, LinkError> {
        let before = self.links.take(link.link);
        if let Some(before) = before {
            before.delete().await;
        }
        if link.side == Side::Target {
            let text =
                "a timer is not called, it calls: link it to an actor's wattle:schedule/handler";
            return Err(LinkError::new(text));
        }
        let settings = LinkSettings::read(&link.config);
        let settings = settings.map_err(|error| LinkError::new(error.to_string()))?;
        let lease = self.context.host.lease(link.link, LEASE);
        let lease = lease.map_err(|error| LinkError::new(error.to_string()))?;
        let host = self.context.host.clone();
        let actor = Actor { host, link: link.link, timeout: settings.pace.timeout };
        let work = Arc::new(Work::new(actor, settings.timers.len()));
        let timers = Link::new(settings, Arc::clone(&work));
        let started = self.links.start(work, None, |end, _ready| timers.run(lease, end)).await;
        started.map(|()| LinkDetail::default()).map_err(LinkError::new)
    }

    async fn delete_link(&self, link: u32) {
        if let Some(timers) = self.links.take(link) {
            timers.delete().await;
        }
    }

    async fn drain(&self) {
        self.links.drain().await;
    }
}
