//! `wasi:http`. Here is `incoming-handler`: a call whose parameters are a request's head and whose stream is its body becomes a guest's
//! `handle`, and the guest's response a reply.

mod body;
mod outgoing;
mod response;

use std::{pin::pin, sync::Arc};

use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::{
    WasiHttpView,
    p2::bindings::{ProxyPre, http::types::Scheme},
};
use wattle_core::{CallError, ErrorKind};
use wattle_wire::{Reply, Request};

use self::{body::ReadBody, response::Exchange};
use super::{
    Actor,
    background::{Guest, leave_the_lane},
    deadline::by_deadline,
    gate::Pass,
    instance::{CallContext, Instance, guest_error},
};
use crate::router::Router;

/// Answers one HTTP request with a fresh instance of `actor`.
///
/// # Cancel safety
/// Dropping the future ends the instance.
pub(crate) async fn handle(
    actor: &Arc<Actor>,
    pre: &ProxyPre<Instance>,
    router: &Arc<Router>,
    request: Request,
    context: CallContext,
    pass: Pass,
) -> Result<Reply, CallError> {
    let deadline = context.deadline;
    let request = incoming(request)?;
    let (send, head) = oneshot::channel();
    let mut store = Instance::store(actor, router, context);
    let instance = store.data().caller.instance();
    let (pre, heavy) = (pre.clone(), actor.freight.is_heavy());
    let run = Box::pin(async move {
        if heavy {
            leave_the_lane().await;
        }
        let ran = run(&mut store, &pre, request, send).await;
        ran.map_err(|error| guest_error(&error, store.data()))
    });
    let guest = Guest::new(run, actor.background.clone());
    let exchange = Exchange::new(guest, instance, pass, actor.deadline);
    by_deadline(deadline, pin!(exchange.reply(head))).await
}

fn incoming(request: Request) -> Result<http::Request<ReadBody>, CallError> {
    let head = wattle_http::decode_request(&request.params)
        .map_err(|error| CallError::new(ErrorKind::Malformed, error.to_string()))?;
    Ok(head.map(|()| ReadBody::new(request.body)))
}

type ResponseSender = oneshot::Sender<response::Head>;

async fn run(
    store: &mut Store<Instance>,
    pre: &ProxyPre<Instance>,
    request: http::Request<ReadBody>,
    send: ResponseSender,
) -> wasmtime::Result<()> {
    let proxy = pre.instantiate_async(&mut *store).await?;
    let scheme = match request.uri().scheme_str() {
        Some("https") => Scheme::Https,
        _ => Scheme::Http,
    };
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(scheme, request)?;
    let response = http.new_response_outparam(send)?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, response).await
}
