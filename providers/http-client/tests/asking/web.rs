//! A web server of the test's own, which counts its connections.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

/// Answers on a free port of this machine, for as long as the test runs.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    uploads: Uploads,
}

/// How each body ended that came to `/early`: whether it looked whole.
type Uploads = watch::Sender<Vec<bool>>;

impl Web {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    pub(crate) async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let web = Self {
            address: listener.local_addr().expect("an address"),
            accepted: Arc::default(),
            open: Arc::default(),
            uploads: Uploads::default(),
        };
        let (accepted, open) = (Arc::clone(&web.accepted), Arc::clone(&web.open));
        let uploads = web.uploads.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                open.fetch_add(1, Ordering::Relaxed);
                let (tls, open, uploads) = (tls.clone(), Arc::clone(&open), uploads.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(socket, uploads).await,
                        Some(tls) => {
                            if let Ok(socket) = tls.accept(socket).await {
                                serve(socket, uploads).await;
                            }
                        }
                    }
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        web
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A rule that allows this server and nothing else.
    pub(crate) fn rule(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Connections that were ever made.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Waits until a body that came to `/early` has ended, and says whether it looked whole.
    pub(crate) async fn upload(&self) -> bool {
        let mut uploads = self.uploads.subscribe();
        let ended = uploads.wait_for(|uploads| !uploads.is_empty());
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("in time").expect("sent")
            [0]
    }

    /// Waits until so many connections are open.
    pub(crate) async fn until_open(&self, count: usize) {
        let reached = async {
            while self.open.load(Ordering::Relaxed) != count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), reached).await;
        let open = self.open.load(Ordering::Relaxed);
        waited.unwrap_or_else(|_| panic!("{open} connections are open, not {count}"));
    }
}

async fn serve(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, uploads: Uploads) {
    let service = service_fn(move |request| {
        let uploads = uploads.clone();
        async move { Ok::<_, Infallible>(answer(request, &uploads).await) }
    });
    // A client that goes away is what some tests are about.
    let _: Result<(), _> = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

type Content = Either<Full<Bytes>, Incoming>;

async fn answer(request: Request<Incoming>, uploads: &Uploads) -> Response<Content> {
    let full = |text: String| Response::new(Either::Left(Full::new(Bytes::from(text))));
    match request.uri().path() {
        "/echo" => Response::new(Either::Right(request.into_body())),
        "/length" => {
            let bytes = request.into_body().collect().await.map(|body| body.to_bytes().len());
            full(format!("{bytes:?}"))
        }
        "/early" => {
            let uploads = uploads.clone();
            tokio::spawn(async move {
                let is_whole = request.into_body().collect().await.is_ok();
                uploads.send_modify(|uploads| uploads.push(is_whole));
            });
            full("early".to_owned())
        }
        "/see" => full(seen(&request)),
        "/never" => std::future::pending().await,
        "/away" => {
            let mut response = full(String::new());
            *response.status_mut() = http::StatusCode::FOUND;
            let to = request.uri().query().unwrap_or_default();
            response.headers_mut().insert("location", to.parse().expect("an address"));
            response
        }
        path => {
            let mut response = full(format!("nothing at {path}"));
            *response.status_mut() = http::StatusCode::NOT_FOUND;
            response
        }
    }
}

/// What the server sees of a request.
fn seen(request: &Request<Incoming>) -> String {
    let mut headers: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    let authority = request.uri().authority().map(|authority| authority.to_string());
    let path = request.uri().path_and_query().map(|path| path.as_str()).unwrap_or_default();
    format!("{} {:?} {path} {authority:?} {headers:?}", request.method(), request.version())
}
