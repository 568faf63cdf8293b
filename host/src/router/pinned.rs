//! Calls to one host and nowhere else: those about a resource, which lives where it was made, and those that name a host.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use tracing::debug;
use wattle_core::{CallError, ErrorKind, HostKey, Interface, Locality};
use wattle_wire::{Reply, Request};

use super::{Denial, Edge, Router};
use crate::actors::{Actor, CallContext};

/// One host, as the only one that may answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    Here,
    Host(HostKey),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("on this host"),
            Self::Host(host) => write!(f, "on host {host}"),
        }
    }
}

/// Where a handle was made: over which link, and on which host.
pub(crate) struct Origin {
    pub(crate) edge: Arc<Edge>,
    pub(crate) at: At,
}

impl Origin {
    /// Whether what was made in one place can be used with what was made in the other.
    pub(crate) fn is_that_of(&self, other: &Self) -> bool {
        self.edge.number == other.edge.number && self.at == other.at
    }

    /// The order of places, so that handles of one place can be brought together.
    pub(crate) fn order(&self) -> (u32, &At) {
        (self.edge.number, &self.at)
    }
}

/// A function with handles, as an actor calls it.
pub(crate) struct HandleCall<'a> {
    pub(crate) caller: &'a Arc<Actor>,
    /// The link that the actor chose, for a call that is given no handle: handles choose the link that they came over.
    pub(crate) link_name: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) function: &'a str,
    /// Other interfaces whose resources it takes or gives: the link has to cover these too.
    pub(crate) others: &'a [Interface],
    /// Where the handles that it is given were made.
    pub(crate) origin: Option<Arc<Origin>>,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send + 'a>>;

impl Router {
    /// A call from an actor with handles in what it gives or gets; says where those that it gets were made.
    ///
    /// # Errors
    /// As any call; `Denied` where the link that a handle came over is gone, `Unavailable` where its callee does not run any more
    /// on the host that made it. Nobody else is asked then.
    ///
    /// # Cancel safety
    /// As [`Router::call_from_actor`].
    pub(crate) fn call_with_handles<'a>(
        self: &'a Arc<Self>,
        call: HandleCall<'a>,
        request: Request,
        context: &'a CallContext,
    ) -> Answer<'a, (Reply, Arc<Origin>)> {
        // Boxed, as every call of an actor.
        Box::pin(async move {
            let HandleCall { caller, link_name, interface, function, others, origin } = call;
            let Some(origin) = origin else {
                let edge = self.edge_from_actor(caller, link_name, interface, function, context)?;
                self.authorize_all(&edge, others, function, context)?;
                let (reply, host) =
                    self.carry(&edge, interface, function, request, context).await?;
                let at = host.map_or(At::Here, |host| At::Host(host.clone()));
                return Ok((reply, Arc::new(Origin { edge, at })));
            };
            let edge = self.edge_of_origin(caller, &origin, interface)?;
            self.authorize(&edge, interface, function, context)?;
            self.authorize_all(&edge, others, function, context)?;
            let reply =
                self.carry_at(&edge, &origin.at, interface, function, request, context).await?;
            Ok((reply, origin))
        })
    }

    /// Whether an actor may call a function that its own host answers beside the call, with what it got at `origin`: over the link
    /// that this came over, and no other.
    pub(crate) fn allows_actor(
        &self,
        caller: &Actor,
        origin: &Origin,
        interface: &str,
        function: &str,
        context: &CallContext,
    ) -> Result<(), CallError> {
        let edge = self.edge_of_origin(caller, origin, interface)?;
        self.authorize(&edge, interface, function, context)
    }

    /// Lets go of handles where they were made. That is the end of a call that was allowed: it goes the way that the link had then.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call, which may have run.
    pub(crate) async fn release(
        self: &Arc<Self>,
        origin: &Origin,
        interface: &str,
        function: &str,
        request: Request,
        context: &CallContext,
    ) -> Result<(), CallError> {
        let Origin { edge, at } = origin;
        self.authorize(edge, interface, function, context)?;
        self.carry_at(edge, at, interface, function, request, context).await.map(drop)
    }

    /// Carries a call over `edge` to that host, and nowhere else. Its caller has authorized it.
    ///
    /// # Errors
    /// As any call; `Unavailable` where the callee does not run there, or the link does not let it be called there.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call, which may have run.
    pub(crate) fn carry_at<'a>(
        self: &'a Arc<Self>,
        edge: &'a Edge,
        at: &'a At,
        interface: &'a str,
        function: &'a str,
        request: Request,
        context: &'a CallContext,
    ) -> Answer<'a, Reply> {
        // Boxed, because what answers here may have to ask the same of another host.
        Box::pin(async move {
            match at {
                At::Here if edge.is_local() => {
                    self.carry_here(edge, interface, function, request, context).await
                }
                At::Host(host) if edge.is_on(host) => {
                    let only = Some(host);
                    let carried =
                        self.carry_elsewhere(edge, only, interface, function, request, context);
                    carried.await.map(|(reply, _)| reply)
                }
                gone => Err(not_there(edge, gone)),
            }
        })
    }

    /// The link that a handle came over, as it is now.
    fn edge_of_origin(
        &self,
        caller: &Actor,
        origin: &Origin,
        interface: &str,
    ) -> Result<Arc<Edge>, CallError> {
        let link = &origin.edge.link;
        let edge = self.routes.load().edge_of_provider(origin.edge.number);
        let same =
            edge.filter(|edge| edge.link.source == caller.party && edge.link.target == link.target);
        same.ok_or_else(|| {
            let reason = format!("the link {}, over which its handle came, is gone", link.key());
            self.deny(caller.id.as_str(), link.target.id.as_str(), interface, &Denial::new(reason))
        })
    }

    fn authorize_all(
        &self,
        edge: &Edge,
        interfaces: &[Interface],
        function: &str,
        context: &CallContext,
    ) -> Result<(), CallError> {
        let mut all = interfaces.iter();
        all.try_for_each(|other| self.authorize(edge, other.as_str(), function, context))
    }
}

fn not_there(edge: &Edge, at: &At) -> CallError {
    let target = &edge.link.target.id;
    debug!(callee = %target, ?at, "a call to one host cannot go there");
    let link = edge.link.key();
    let text = match (at, edge.link.locality) {
        (At::Here, Locality::Remote) => format!("the link {link} does not go to {target} here"),
        (At::Here, _) => format!("{target} does not run on this host any more"),
        (At::Host(host), Locality::Local) => {
            format!("the link {link} does not go to {target} on host {host}")
        }
        (At::Host(host), _) => format!("{target} is not known to run on host {host}"),
    };
    CallError::new(ErrorKind::Unavailable, text)
}
