//! One process that serves HTTP, its threads arranged in one of two ways.

use std::{
    convert::Infallible,
    future::Future,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use clap::ValueEnum;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
};

/// What answers. Each runtime thread has one of its own, so that it can keep connections of its own.
pub(crate) trait Answer: Send + Sync + 'static {
    /// What a thread keeps.
    type Lane: Send + Sync + 'static;

    /// Called once on each runtime.
    fn lane(&self) -> impl Future<Output = Result<Self::Lane>> + Send;

    /// Called for each request.
    fn answer(
        lane: &Arc<Self::Lane>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Full<Bytes>>>> + Send;
}

/// How threads and connections meet.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// One runtime whose threads steal work from each other.
    Multi,
    /// One current-thread runtime per core; a connection stays where it was put.
    Lanes,
}

/// Serves until the process is killed.
pub(crate) fn run<A: Answer>(listen: SocketAddr, runtime: Runtime, answer: A) -> Result<()> {
    let listener = TcpListener::bind(listen).with_context(|| format!("listening on {listen}"))?;
    listener.set_nonblocking(true)?;
    match runtime {
        Runtime::Multi => {
            let runtime = Builder::new_multi_thread().enable_all().build()?;
            let lane = Arc::new(runtime.block_on(answer.lane())?);
            runtime.block_on(accept::<A>(listener, vec![(runtime.handle().clone(), lane)]))
        }
        Runtime::Lanes => {
            let count = thread::available_parallelism()?.get();
            let lanes =
                (0..count).map(|number| start_lane(number, &answer)).collect::<Result<_>>()?;
            let runtime = Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(accept::<A>(listener, lanes))
        }
    }
}

fn start_lane<A: Answer>(number: usize, answer: &A) -> Result<(Handle, Arc<A::Lane>)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let lane = Arc::new(runtime.block_on(answer.lane())?);
    thread::Builder::new()
        .name(format!("lane-{number}"))
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    Ok((handle, lane))
}

/// Hands connections to the lanes in turn.
async fn accept<A: Answer>(
    listener: TcpListener,
    lanes: Vec<(Handle, Arc<A::Lane>)>,
) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    for (handle, lane) in lanes.iter().cycle() {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        // Registered anew with the lane's own reactor: readiness is then seen by the thread that uses it.
        let socket = socket.into_std()?;
        let lane = lane.clone();
        handle.spawn(async move {
            let Ok(socket) = TcpStream::from_std(socket) else { return };
            serve_connection::<A>(socket, lane).await;
        });
    }
    Ok(())
}

async fn serve_connection<A: Answer>(socket: TcpStream, lane: Arc<A::Lane>) {
    let service = service_fn(move |request| {
        let lane = lane.clone();
        async move {
            let response = A::answer(&lane, request).await.unwrap_or_else(|error| {
                let mut response = Response::new(Full::from(format!("{error:#}\n")));
                *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
                response
            });
            Ok::<_, Infallible>(response)
        }
    });
    // A client that goes away ends its connection, and that is all.
    let _: Result<(), hyper::Error> =
        http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}
