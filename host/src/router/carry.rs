//! Carrying a call that has been authorized: to the actor, the provider or what is built in on this host, or to another host.

use std::{borrow::Cow, sync::Arc, time::Instant};

use bytes::Bytes;
use tokio::time::timeout_at;
use tracing::debug;
use wattle_core::{CallError, ErrorKind, HostKey, call::RequestHead, codec};
use wattle_wire::{Reply, Request};

use super::{Callee, Edge, Router, step};
use crate::{
    actors::{CallContext, deadline_passed},
    builtin::Call,
};

impl Router {
    /// Here if the callee is here, else on another host; there too when this host is too busy. Says on which other it was.
    pub(super) async fn carry<'e>(
        self: &Arc<Self>,
        edge: &'e Edge,
        interface: &str,
        function: &str,
        request: Request,
        context: &CallContext,
    ) -> Result<(Reply, Option<&'e HostKey>), CallError> {
        if matches!(edge.callee, Callee::BuiltIn(_)) {
            // Others are asked only what is about them.
            let answer = self.carry_here(edge, interface, function, request, context).await;
            return answer.map(|reply| (reply, None));
        }
        let is_elsewhere_too = edge.hosts(interface, None).next().is_some();
        // Boxed: calls on one host need no room for what they would do on another.
        let elsewhere = |request| {
            Box::pin(self.carry_elsewhere(edge, None, interface, function, request, context))
        };
        if !edge.is_local() {
            return elsewhere(request).await.map(|(reply, host)| (reply, Some(host)));
        }
        if !is_elsewhere_too {
            let answer = self.carry_here(edge, interface, function, request, context).await;
            return answer.map(|reply| (reply, None));
        }
        if self.elsewhere.is_preferred() {
            let again = request.again();
            return match (elsewhere(request).await, again) {
                // It is still here: the others may be gone, or have no room.
                (Err(error), Some(again)) if error.kind.is_for_another_host() => {
                    let answer = self.carry_here(edge, interface, function, again, context).await;
                    answer.map(|reply| (reply, None))
                }
                (answer, _) => answer.map(|(reply, host)| (reply, Some(host))),
            };
        }
        let again = request.again();
        let answer = self.carry_here(edge, interface, function, request, context).await;
        match (answer, again) {
            (Err(error), Some(again)) if error.kind.is_for_another_host() => {
                elsewhere(again).await.map(|(reply, host)| (reply, Some(host)))
            }
            (answer, _) => answer.map(|reply| (reply, None)),
        }
    }

    pub(super) async fn carry_here(
        self: &Arc<Self>,
        edge: &Edge,
        interface: &str,
        function: &str,
        request: Request,
        context: &CallContext,
    ) -> Result<Reply, CallError> {
        let span = self.spans.open(context, &step(edge, interface, function, None));
        let context = span.context(context);
        let answer = self.answer_here(edge, interface, function, request, &context).await;
        span.close(answer.as_ref().err());
        answer
    }

    async fn answer_here(
        self: &Arc<Self>,
        edge: &Edge,
        interface: &str,
        function: &str,
        request: Request,
        context: &CallContext,
    ) -> Result<Reply, CallError> {
        debug!(id = %context.id, caller = %edge.link.source.id, callee = %edge.link.target.id, interface, function, local = true, "call");
        match &edge.callee {
            Callee::Actor(actor) => {
                let context = context.deeper()?;
                // Boxed: else each call would have room for it, and be copied with it.
                let answer = Box::pin(actor.call(self, interface, function, request, context));
                let answer = answer.await;
                answer.inspect_err(|error| self.reports.call_failed(&actor.id, error))
            }
            Callee::Provider(provider) => {
                let head = head(edge.number, interface, function, context)?;
                Box::pin(provider.call(head, request.params, request.body)).await
            }
            Callee::BuiltIn(called) => {
                let params = request.params;
                let call = Call { router: self, edge, interface, function, params, context };
                let answer = self.built_ins.call(*called, call);
                let answered = timeout_at(context.deadline.into(), Box::pin(answer)).await;
                answered.unwrap_or_else(|_| Err(deadline_passed()))
            }
            Callee::Absent => {
                let text = format!("{} does not run on this host", edge.link.target.id);
                Err(CallError::new(ErrorKind::Unavailable, text))
            }
        }
    }
}

/// What a provider is told ahead of the parameters.
fn head(
    link: u32,
    interface: &str,
    function: &str,
    context: &CallContext,
) -> Result<Bytes, CallError> {
    let deadline_ms = left_ms(context)?;
    let head = RequestHead {
        id: context.id,
        link,
        interface: Cow::Borrowed(interface),
        function: Cow::Borrowed(function),
        deadline_ms,
        trace: context.trace,
    };
    Ok(codec::encode(&head).into())
}

/// What is left of a call's time: clocks of two processes are not compared.
pub(super) fn left_ms(context: &CallContext) -> Result<u32, CallError> {
    let left = context.deadline.saturating_duration_since(Instant::now()).as_millis();
    if left == 0 { Err(deadline_passed()) } else { Ok(u32::try_from(left).unwrap_or(u32::MAX)) }
}
