//! What runs here and which links are known, as an inventory says it, a page at a time.

use wattle_control::{
    PAGE_MAX,
    wire::{Actor, Link, Page, Provider},
};
use wattle_core::{
    control::Scale,
    inventory::{ActorStatus, LinkState, LinkStatus, ProviderState, ProviderStatus},
};

use super::Desk;

impl Desk<'_> {
    pub(super) fn actors(&self, page: &Page) -> Vec<Actor> {
        let actors = self.control.actor_statuses().into_iter().map(actor).collect();
        page_of(actors, page, |actor| &actor.id)
    }

    pub(super) fn providers(&self, page: &Page) -> Vec<Provider> {
        let providers = self.control.provider_statuses().into_iter().map(provider).collect();
        page_of(providers, page, |provider| &provider.id)
    }

    pub(super) fn links(&self, page: &Page) -> Vec<Link> {
        self.control.links_after(page.after.as_deref(), PAGE_MAX).into_iter().map(link).collect()
    }
}

fn page_of<T>(mut all: Vec<T>, page: &Page, key: impl Fn(&T) -> &String) -> Vec<T> {
    if let Some(after) = &page.after {
        all.retain(|one| key(one) > after);
    }
    all.sort_by(|a, b| key(a).cmp(key(b)));
    all.truncate(PAGE_MAX);
    all
}

fn actor(status: ActorStatus) -> Actor {
    Actor {
        id: status.id.to_string(),
        name: status.name,
        account: status.identity.account.to_string(),
        key: status.identity.key.to_string(),
        artifact: status.artifact.to_string(),
        scale: match status.scale {
            Scale::Stopped => 0,
            Scale::UpTo(calls) => calls.get(),
        },
        in_flight: status.in_flight,
        queued: status.queued,
        calls: status.calls,
        failures: status.failures.into_iter().collect(),
        denied: status.denied,
    }
}

fn provider(status: ProviderStatus) -> Provider {
    Provider {
        id: status.id.to_string(),
        name: status.name,
        account: status.identity.account.to_string(),
        key: status.identity.key.to_string(),
        artifact: status.artifact.to_string(),
        ready: matches!(status.state, ProviderState::Ready { .. }),
        state: status.state.to_string(),
        restarts: status.restarts,
        last_exit: status.last_exit,
    }
}

fn link(status: LinkStatus) -> Link {
    let (active, reason, local, hosts) = match status.state {
        LinkState::Active { local, hosts, .. } => (true, None, local, hosts),
        LinkState::Waiting { missing } => {
            (false, Some(format!("waiting for {missing}")), false, Vec::new())
        }
        LinkState::Denied { reason } | LinkState::Failed { reason } => {
            (false, Some(reason), false, Vec::new())
        }
    };
    let link = status.link;
    Link {
        key: link.key().to_string(),
        source: link.source.id.to_string(),
        target: link.target.id.to_string(),
        name: link.name.to_string(),
        interfaces: link.interfaces.iter().map(ToString::to_string).collect(),
        active,
        reason,
        local,
        hosts: hosts.iter().map(ToString::to_string).collect(),
    }
}
