//! The one door: every call, from whichever side, is located, authorized, admitted and carried here, and nowhere else.
//!
//! Nothing on this path looks into a store or waits for a lock, unless the call is traced: it reads a snapshot that control traffic
//! swaps.

mod carry;
pub(crate) mod denial;
mod edge;
mod grant;
mod pinned;
mod remote;
mod routes;
mod spans;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use wattle_core::{
    CallError, EntityId, ErrorKind, HostKey, Operation,
    call::RequestHead,
    codec,
    control::{Question, UserCall},
    entity::Party,
    inventory::Explanation,
};
use wattle_http::outgoing::SEND;
use wattle_wire::{Reply, Request};

use self::spans::Step;
pub(crate) use self::{
    denial::Denial,
    edge::{Callee, Edge, Standing},
    grant::{Granted, Known, Validity},
    pinned::{At, HandleCall, Origin},
    remote::Elsewhere,
    routes::{Routes, RoutesBuilder, There},
    spans::SpanBook,
};
use crate::{
    actors::{Actor, CallContext},
    builtin::BuiltIns,
    clock::Clock,
    providers::Calls,
    reports::Reports,
};

/// The most bytes of a request's head on a provider's socket.
const HEAD_LEN_MAX: usize = 4 * 1024;

/// What a span calls a user, who calls without a link.
const USER: &str = "user";
/// The callee where there is no link that says who it is.
const NOBODY: &str = "?";

/// The router of one host.
pub(crate) struct Router {
    routes: ArcSwap<Routes>,
    clock: Arc<Clock>,
    reports: Arc<Reports>,
    built_ins: BuiltIns,
    elsewhere: Elsewhere,
    spans: Arc<SpanBook>,
}

impl Router {
    /// The router of this host, which knows nobody yet.
    pub(crate) fn new(
        host: HostKey,
        clock: Arc<Clock>,
        reports: Arc<Reports>,
        built_ins: BuiltIns,
    ) -> Arc<Self> {
        Arc::new(Self {
            routes: ArcSwap::default(),
            clock,
            reports,
            built_ins,
            elsewhere: Elsewhere::default(),
            spans: SpanBook::new(host),
        })
    }

    /// What is kept of the calls that are traced.
    pub(crate) fn spans(&self) -> &SpanBook {
        &self.spans
    }

    /// How calls reach other hosts: not at all until it is told, and after it is told to leave.
    pub(crate) const fn elsewhere(&self) -> &Elsewhere {
        &self.elsewhere
    }

    /// Makes `routes` what every call from now on sees. Calls under way finish as they were admitted.
    pub(crate) fn swap(&self, routes: Routes) {
        self.routes.store(Arc::new(routes));
    }

    /// What calls see now.
    pub(crate) fn routes(&self) -> Arc<Routes> {
        self.routes.load_full()
    }

    /// A call from an actor over the link that it chose.
    ///
    /// # Cancel safety
    /// Dropping the future cancels the call, which may have run.
    pub(crate) fn call_from_actor<'a>(
        self: &'a Arc<Self>,
        caller: &'a Arc<Actor>,
        link_name: &'a str,
        interface: &'a str,
        function: &'a str,
        request: Request,
        context: &'a CallContext,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, CallError>> + Send + 'a>> {
        // Boxed, because an actor may call an actor that calls an actor.
        Box::pin(async move {
            let edge = self.edge_from_actor(caller, link_name, interface, function, context)?;
            self.carry(&edge, interface, function, request, context).await.map(reply)
        })
    }

    /// A request that an actor sends to the web, over a link that allows it.
    ///
    /// # Cancel safety
    /// As [`Router::call_from_actor`].
    pub(crate) async fn request_from_actor(
        self: &Arc<Self>,
        caller: &Actor,
        link_name: &str,
        head: &http::request::Parts,
        request: Request,
        context: &CallContext,
    ) -> Result<Reply, CallError> {
        let Operation { interface, function } = SEND;
        let edge = self.edge_from_actor(caller, link_name, interface, function, context)?;
        edge.check_request(head)
            .map_err(|denial| self.refuse(&edge, interface, function, &denial, context))?;
        self.carry(&edge, interface, function, request, context).await.map(reply)
    }

    /// The number of the link that an actor's call would take.
    ///
    /// # Errors
    /// As the call, where it would be denied.
    pub(crate) fn link_of_actor(
        &self,
        caller: &Actor,
        link_name: &str,
        operation: Operation,
        context: &CallContext,
    ) -> Result<u32, CallError> {
        let Operation { interface, function } = operation;
        let edge = self.edge_from_actor(caller, link_name, interface, function, context)?;
        Ok(edge.number)
    }

    /// Locates and authorizes what an actor calls.
    fn edge_from_actor(
        &self,
        caller: &Actor,
        link_name: &str,
        interface: &str,
        function: &str,
        context: &CallContext,
    ) -> Result<Arc<Edge>, CallError> {
        let located = self.routes.load().edge_of_actor(&caller.party, interface, link_name);
        let edge = located.ok_or_else(|| {
            let routes = self.routes.load();
            let callee = routes.callee_for(&caller.party, interface);
            let denial = Denial::no_link(&caller.party, callee, interface, link_name);
            let caller = caller.party.id.as_str();
            let error = self.deny(caller, NOBODY, interface, &denial);
            let step = Step { caller, callee: NOBODY, interface, function, sent_to: None };
            self.spans.refused(context, &step, &error);
            error
        })?;
        self.authorize(&edge, interface, function, context)?;
        self.check_caller(&edge, Some(&caller.party), interface, function, context)?;
        Ok(edge)
    }

    async fn call_from_provider(
        self: &Arc<Self>,
        provider: &EntityId,
        request: Request,
    ) -> Result<Reply, CallError> {
        let bytes = request.head.clone();
        let head: RequestHead<'_> = codec::decode(&bytes, HEAD_LEN_MAX).map_err(|error| {
            self.reports.refused("request of a provider", "malformed");
            CallError::new(ErrorKind::Malformed, format!("request head: {error}"))
        })?;
        // A number of a link that is not this provider's is as good as none.
        let located = self.routes.load().edge_of_provider(head.link);
        let edge = located.filter(|edge| edge.link.source.id == *provider).ok_or_else(|| {
            let denial = Denial::no_such_number(provider, head.link);
            self.deny(provider.as_str(), NOBODY, &head.interface, &denial)
        })?;
        let context = CallContext {
            id: head.id,
            deadline: Instant::now() + Duration::from_millis(head.deadline_ms.into()),
            trace: head.trace,
            depth: 0,
        };
        self.authorize(&edge, &head.interface, &head.function, &context)?;
        let usurper = edge.usurper.as_ref();
        self.check_caller(&edge, usurper, &head.interface, &head.function, &context)?;
        self.carry(&edge, &head.interface, &head.function, request, &context).await.map(reply)
    }

    /// A call from what is built into this host, over the link of this number.
    pub(crate) async fn call_from_built_in(
        self: &Arc<Self>,
        link: u32,
        operation: Operation,
        request: Request,
        context: &CallContext,
    ) -> Result<Reply, CallError> {
        let Operation { interface, function } = operation;
        let located = self.routes.load().edge_of_provider(link);
        let edge = located.filter(|edge| edge.link.source.identity.key.is_built_in());
        let gone = || CallError::new(ErrorKind::Denied, "the link is gone");
        let edge = edge.ok_or_else(gone)?;
        self.authorize(&edge, interface, function, context)?;
        self.check_caller(&edge, edge.usurper.as_ref(), interface, function, context)?;
        self.carry(&edge, interface, function, request, context).await.map(reply)
    }

    /// What is part of this host.
    pub(crate) const fn built_ins(&self) -> &BuiltIns {
        &self.built_ins
    }

    /// A call that a user makes. The right to make it was checked with the command that brought it.
    pub(crate) async fn call_from_user(
        self: &Arc<Self>,
        call: &UserCall,
        request: Request,
        context: CallContext,
    ) -> Result<Reply, CallError> {
        let actor = self.routes.load().actor(&call.target, self.clock.now())?;
        let (interface, function) = (call.interface.as_str(), call.function.as_str());
        let (caller, callee) = (USER, call.target.as_str());
        let step = Step { caller, callee, interface, function, sent_to: None };
        let span = self.spans.open(&context, &step);
        let context = span.context(&context).deeper()?;
        let answer = actor.call(self, interface, function, request, context).await;
        span.close(answer.as_ref().err());
        answer
    }

    /// Whether a call would be allowed, and by what.
    pub(crate) fn explain(&self, question: &Question) -> Explanation {
        self.routes.load().explain(question, self.clock.now())
    }

    fn authorize(
        &self,
        edge: &Edge,
        interface: &str,
        function: &str,
        context: &CallContext,
    ) -> Result<(), CallError> {
        let checked = edge.check(interface, self.clock.now());
        checked.map_err(|denial| self.refuse(edge, interface, function, &denial, context))
    }

    /// Whether it is the link's own caller that calls, and not another under its id: the link may hold for the one on another host.
    fn check_caller(
        &self,
        edge: &Edge,
        caller: Option<&Party>,
        interface: &str,
        function: &str,
        context: &CallContext,
    ) -> Result<(), CallError> {
        let Some(other) = caller.filter(|caller| **caller != edge.link.source) else {
            return Ok(());
        };
        let denial = Denial::another("caller", &edge.link.source, other);
        Err(self.refuse(edge, interface, function, &denial, context))
    }

    fn refuse(
        &self,
        edge: &Edge,
        interface: &str,
        function: &str,
        denial: &Denial,
        context: &CallContext,
    ) -> CallError {
        let step = step(edge, interface, function, None);
        let error = self.deny(step.caller, step.callee, interface, denial);
        self.spans.refused(context, &step, &error);
        error
    }

    fn deny(&self, caller: &str, callee: &str, interface: &str, denial: &Denial) -> CallError {
        self.reports.call_denied(caller, callee, interface, denial);
        CallError::new(ErrorKind::Denied, denial.to_string())
    }
}

/// A carried call's reply, for those to whom it is the same where it came from.
fn reply((reply, _): (Reply, Option<&HostKey>)) -> Reply {
    reply
}

fn step<'a>(
    edge: &'a Edge,
    interface: &'a str,
    function: &'a str,
    sent_to: Option<&'a HostKey>,
) -> Step<'a> {
    let (caller, callee) = (edge.link.source.id.as_str(), edge.link.target.id.as_str());
    Step { caller, callee, interface, function, sent_to }
}

impl Calls for Router {
    /// A call from a provider, which names a link by its number on that provider's socket.
    fn call(
        self: &Arc<Self>,
        provider: &Arc<EntityId>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        let (router, provider) = (self.clone(), provider.clone());
        async move { router.call_from_provider(&provider, request).await }
    }
}
