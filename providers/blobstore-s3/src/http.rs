//! Requests over hyper: what `object_store` asks for, and what it does not know.
//!
//! Its own way through reqwest would double what is built, and hands bodies from thread to thread without a bound.

use std::{error::Error, io, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector as Connect, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto::ring};
use tracing::warn;

use crate::patience::{self, Incoming, Moved, Outgoing};

/// How long connecting may take.
const CONNECT_WAIT: Duration = Duration::from_secs(2);

/// What the system takes of a body ahead of the line. By itself it takes megabytes, and nothing seems to move until they are gone;
/// this much goes over the slowest lines within a body's patience.
const SEND_BUFFER_LEN: usize = 256 * 1024;

/// How long a connection is kept that nobody uses: below what servers have patience for.
const IDLE_WAIT: Duration = Duration::from_secs(15);

/// Connections to one server that are kept although nobody uses them.
const IDLE_MAX: usize = 32;

/// The one client of the process; all links share its connections.
#[derive(Clone, Debug)]
pub(crate) struct Requests {
    client: Client<HttpsConnector<HttpConnector>, Outgoing>,
}

impl Requests {
    /// With the system's certificate authorities. Blocks while they are read.
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            warn!(errors = ?found.errors, "the system has no certificate authorities");
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_WAIT));
        tcp.set_nodelay(true);
        tcp.set_send_buffer_size(Some(SEND_BUFFER_LEN));
        tcp.enforce_http(false);
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_WAIT)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(https.enable_http1().wrap_connector(tcp));
        Ok(Self { client })
    }

    /// Sends one request. It fails once nothing has moved for too long.
    pub(crate) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (moved, patience) = (Moved::now(), patience::of(&request));
        let request = request.map(|body| Outgoing { body, moved: moved.clone() });
        let response = tokio::select! {
            response = self.client.request(request) => response.map_err(failed)?,
            silent = moved.until_silent(patience) => return Err(silent),
        };
        Ok(response.map(|body| HttpResponseBody::new(Incoming::new(body, patience))))
    }
}

/// What kept a request from its answer, in the words by which `object_store` decides whether it may be made again.
fn failed(error: legacy::Error) -> HttpError {
    let kind = if error.is_connect() {
        HttpErrorKind::Connect
    } else if cause(&error).is_some_and(hyper::Error::is_canceled) {
        HttpErrorKind::Request // it was not sent
    } else if cause(&error).is_some() || is_io(&error) {
        HttpErrorKind::Interrupted
    } else {
        HttpErrorKind::Unknown
    };
    HttpError::new(kind, error)
}

fn cause(error: &legacy::Error) -> Option<&hyper::Error> {
    error.source().and_then(|source| source.downcast_ref())
}

fn is_io(error: &legacy::Error) -> bool {
    error.source().is_some_and(|source| source.is::<io::Error>())
}

impl HttpService for Requests {
    // By hand what `async_trait` writes: the one method is not worth the macro.
    fn call<'life, 'future>(
        &'life self,
        request: HttpRequest,
    ) -> BoxFuture<'future, Result<HttpResponse, HttpError>>
    where
        'life: 'future,
        Self: 'future,
    {
        Box::pin(self.send(request))
    }
}

impl Connect for Requests {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}
