mod bodies;
mod calls;
mod carried;
mod death;
mod hostile;
mod stress;

use std::{
    future::Future,
    sync::{Arc, atomic::AtomicUsize},
};

use bytes::Bytes;
use tokio::{net::UnixStream, sync::mpsc, task::JoinHandle};
use wattle_core::{CallError, ErrorKind};

use super::*;
use crate::body::{Body, StreamError};

/// What a test's callee does, by the request's head.
struct Callee {
    controls: mpsc::Sender<Bytes>,
    /// Bodies that the callee was asked to keep.
    kept: mpsc::Sender<Body>,
    running: Arc<AtomicUsize>,
}

/// Counts a handler while it runs.
struct Running(Arc<AtomicUsize>);

impl Running {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Handler for Callee {
    fn call(
        self: &Arc<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply, CallError>> + Send + 'static {
        assert_ne!(&request.head[..], b"panic at once", "as asked");
        let this = Arc::clone(self);
        async move {
            let _running = Running::new(&this.running);
            let Request { head, params, body } = request;
            match &head[..] {
                b"echo" => Ok(Reply { result: params, body }),
                b"later" => {
                    tokio::task::yield_now().await;
                    Ok(Reply { result: params, body })
                }
                b"fail" => Err(CallError::new(ErrorKind::Failed, "as asked")),
                b"panic" => panic!("as asked"),
                b"panic later" => {
                    tokio::task::yield_now().await;
                    panic!("as asked")
                }
                b"huge" => Ok(Reply::new(vec![0; PARAMS_LEN_MAX + 1])),
                b"never" => std::future::pending().await,
                b"keep" => {
                    this.kept.send(body.expect("a body")).await.expect("the test listens");
                    Ok(Reply::new(params))
                }
                b"ignore" => Ok(Reply::new(params)),
                b"count" => {
                    let mut body = body.expect("a body");
                    let mut len = 0_u64;
                    while let Some(chunk) = body.chunk().await {
                        len += chunk
                            .map_err(|e| CallError::new(ErrorKind::Interrupted, e.to_string()))?
                            .len() as u64;
                    }
                    Ok(Reply::new(len.to_le_bytes().to_vec()))
                }
                other => panic!("nothing is called {other:?}"),
            }
        }
    }

    fn control(&self, message: Bytes) {
        self.controls.try_send(message).expect("the test has room");
    }
}

/// A connection's end in a test, and what its handler tells the test.
struct End {
    connection: Connection,
    driver: JoinHandle<Closed>,
    controls: mpsc::Receiver<Bytes>,
    kept: mpsc::Receiver<Body>,
    running: Arc<AtomicUsize>,
}

impl End {
    fn new(socket: UnixStream, limits: Limits) -> Self {
        let (controls_in, controls) = mpsc::channel(100);
        let (kept_in, kept) = mpsc::channel(100);
        let running = Arc::new(AtomicUsize::new(0));
        let callee = Callee { controls: controls_in, kept: kept_in, running: Arc::clone(&running) };
        let (connection, driver) = Connection::new(socket, limits, Arc::new(callee));
        Self { connection, driver: tokio::spawn(driver), controls, kept, running }
    }

    fn pair() -> (Self, Self) {
        Self::pair_with(Limits::default())
    }

    fn pair_with(limits: Limits) -> (Self, Self) {
        let (here, there) = UnixStream::pair().expect("a pair");
        (Self::new(here, limits), Self::new(there, limits))
    }

    async fn call(&self, head: &'static str, params: &'static str) -> Result<Reply, CallError> {
        self.connection.call(request(head, params, None)).await
    }

    fn running(&self) -> usize {
        self.running.load(Relaxed)
    }
}

fn request(head: &'static str, params: &'static str, body: Option<Body>) -> Request {
    Request { head: head.into(), params: params.into(), body }
}

/// Lets every other task run until `done`.
async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}
