//! One link: what it allows, and its connections, which no other link uses.

use std::{sync::Arc, time::Duration};

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::sync::Semaphore;
use wattle_http::{HEAD_LEN_MAX, HEADERS_MAX, outgoing::Scope};

use crate::{
    body::Upload, connector::InTime, near::Near, resolver::Resolver, settings::LinkSettings, tls,
};

/// A connection that nobody used for so long is closed.
const CONNECTION_IDLE: Duration = Duration::from_secs(60);

/// Connections to one host that are kept for the next request.
const CONNECTIONS_IDLE_MAX: usize = 64;

/// Bytes of a response's head as the other side writes it, where its fields are still those of a connection.
const HEAD_BUFFER_MAX: usize = 2 * HEAD_LEN_MAX;

/// A link's side of the provider.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) scope: Arc<Scope>,
    /// What the scope has to list although it is public elsewhere.
    pub(crate) near: Arc<Near>,
    pub(crate) settings: LinkSettings,
    pub(crate) client: Client<InTime<HttpsConnector<HttpConnector<Resolver>>>, Upload>,
    /// A place for each request that may be under way.
    pub(crate) places: Arc<Semaphore>,
}

impl Link {
    pub(crate) async fn new(
        scope: Scope,
        settings: LinkSettings,
        near: Arc<Near>,
    ) -> Result<Self, tls::Error> {
        let scope = Arc::new(scope);
        let resolver = Resolver::new(Arc::clone(&scope), Arc::clone(&near));
        let mut connector = HttpConnector::new_with_resolver(resolver);
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(settings.connect));
        // A server that takes nothing holds no connection for ever, whatever hyper waits for on it.
        connector.set_tcp_user_timeout(Some(settings.idle));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(settings.authority.as_deref()).await?)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(connector);
        let connector = InTime::new(connector, settings.connect);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(CONNECTION_IDLE)
            .pool_max_idle_per_host(CONNECTIONS_IDLE_MAX)
            .http1_max_headers(HEADERS_MAX)
            .http1_max_buf_size(HEAD_BUFFER_MAX)
            .http2_max_header_list_size(u32::try_from(HEAD_BUFFER_MAX).unwrap_or(u32::MAX))
            .build(connector);
        let places = Arc::new(Semaphore::new(settings.requests_max));
        Ok(Self { scope, near, settings, client, places })
    }
}
