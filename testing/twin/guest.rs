//! A component in the server's own process: a fresh instance per request, with the host's engine settings.

use std::{
    future::{Future, poll_fn},
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    thread,
};

use anyhow::{Context as _, Result, anyhow};
use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Body as _, Incoming},
};
use redis::aio::MultiplexedConnection;
use tokio::sync::oneshot;
use wasmtime::{
    Engine, Store, StoreLimits, StoreLimitsBuilder,
    component::{Component, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error as HttpError, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
    WasiHttpView,
    p2::{
        bindings::{
            ProxyPre,
            http::types::{ErrorCode, Scheme},
        },
        body::HyperOutgoingBody,
    },
};

use crate::{engine, keyvalue, native, serve::Answer};

/// Linear memory of one instance, as in the host.
const MEMORY_BYTES_MAX: usize = 256 << 20;

/// Answers with a component.
pub(crate) struct Guests {
    pre: ProxyPre<State>,
    redis: Option<redis::Client>,
}

/// What a thread keeps.
pub(crate) struct Lane {
    pre: ProxyPre<State>,
    redis: Option<MultiplexedConnection>,
}

/// What a store holds beside the guest's memory.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) redis: Option<MultiplexedConnection>,
    limits: StoreLimits,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: NoOutgoingHttp,
}

impl Guests {
    pub(crate) fn new(component: &Path, redis: Option<&str>) -> Result<Self> {
        let engine = Engine::new(&engine::config()).map_err(said)?;
        let component = Component::from_file(&engine, component)
            .map_err(said)
            .with_context(|| format!("compiling {}", component.display()))?;
        let pre = link(&engine, &component).map_err(said)?;
        let ticks = engine.weak();
        thread::Builder::new().name("epoch".to_owned()).spawn(move || {
            while let Some(engine) = ticks.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::park_timeout(engine::EPOCH_INTERVAL);
            }
        })?;
        Ok(Self { pre, redis: redis.map(redis::Client::open).transpose()? })
    }
}

/// wasmtime's error is neither a std error nor anyhow's.
fn said(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}

fn link(engine: &Engine, component: &Component) -> wasmtime::Result<ProxyPre<State>> {
    let mut linker = Linker::<State>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    keyvalue::add_to_linker(&mut linker)?;
    ProxyPre::new(linker.instantiate_pre(component)?)
}

impl Answer for Guests {
    type Lane = Lane;

    async fn lane(&self) -> Result<Lane> {
        let redis = match &self.redis {
            Some(client) => Some(native::connect(client).await?),
            None => None,
        };
        Ok(Lane { pre: self.pre.clone(), redis })
    }

    async fn answer(lane: &Arc<Lane>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (send, mut head) = oneshot::channel();
        let run = Box::pin(run(lane.clone(), request, send));
        let mut guest = Guest { run: Some(run) };
        let (parts, mut body) = poll_fn(|cx| guest.poll_head(cx, &mut head)).await?.into_parts();
        let bytes = poll_fn(|cx| guest.poll_body(cx, &mut body)).await?;
        Ok(Response::from_parts(parts, Full::new(bytes)))
    }
}

type Head = Result<Response<HyperOutgoingBody>, ErrorCode>;

async fn run(
    lane: Arc<Lane>,
    request: Request<Incoming>,
    send: oneshot::Sender<Head>,
) -> wasmtime::Result<()> {
    let mut store = Store::new(lane.pre.engine(), State::new(lane.redis.clone()));
    store.limiter(|state| &mut state.limits);
    store.epoch_deadline_async_yield_and_update(1);
    let proxy = lane.pre.instantiate_async(&mut store).await?;
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(Scheme::Http, request)?;
    let response = http.new_response_outparam(send)?;
    proxy.wasi_http_incoming_handler().call_handle(&mut store, request, response).await
}

/// A guest under way, polled where its response is waited for: without a task of its own.
struct Guest<F> {
    run: Option<Pin<Box<F>>>,
}

impl<F: Future<Output = wasmtime::Result<()>>> Guest<F> {
    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some(run) = &mut self.run else { return Poll::Ready(Ok(())) };
        // tokio's budget would interrupt a guest that is nearly done.
        let mut run = std::pin::pin!(tokio::task::unconstrained(run.as_mut()));
        let ran = ready!(run.as_mut().poll(cx));
        self.run = None;
        Poll::Ready(ran.map_err(said))
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        head: &mut oneshot::Receiver<Head>,
    ) -> Poll<Result<Response<HyperOutgoingBody>>> {
        if let Poll::Ready(Err(error)) = self.poll_run(cx) {
            return Poll::Ready(Err(error));
        }
        let head = ready!(Pin::new(head).poll(cx)).context("the component gave no response")?;
        Poll::Ready(head.map_err(|code| anyhow!("the component answered with {code:?}")))
    }

    /// The whole body: what the benchmark's components answer is small.
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut HyperOutgoingBody,
    ) -> Poll<Result<Bytes>> {
        let mut bytes = BytesMut::new();
        loop {
            let ran = self.poll_run(cx)?;
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(frame)) => {
                    if let Ok(data) = frame?.into_data() {
                        bytes.extend_from_slice(&data);
                    }
                }
                Poll::Ready(None) if ran.is_ready() => return Poll::Ready(Ok(bytes.freeze())),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl State {
    fn new(redis: Option<MultiplexedConnection>) -> Self {
        Self {
            table: ResourceTable::new(),
            redis,
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_BYTES_MAX).build(),
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            hooks: NoOutgoingHttp,
        }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

struct NoOutgoingHttp;

type Worker = Box<dyn Future<Output = Result<(), HttpError>> + Send>;
type Sent = Result<(Response<WasiBody>, Worker), HttpError>;

impl WasiHttpHooks for NoOutgoingHttp {
    fn send_request(
        &mut self,
        _: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Worker,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(async { Err(HttpError::HttpRequestDenied) })
    }
}
