//! Takes links and keeps a listener for each address that they name.

mod addresses;

use std::{net::SocketAddr, sync::Arc};

use parking_lot::Mutex;
use tokio::net::lookup_host;
use tracing::info;
use wattle_sdk::{Context, LinkDetail, LinkError, LinkGrant, Provider, Side, StartError};

use self::addresses::{Addresses, Wanted};
use crate::{
    listener::{Connections, Listener, Server},
    routes::{Route, Target},
    settings::{LinkSettings, ServerSettings},
    tls::Tls,
};

/// The provider: serves the actors that its links name.
pub(crate) struct HttpServer {
    server: Server,
    addresses: Mutex<Addresses>,
}

impl Provider for HttpServer {
    async fn start(context: Context) -> Result<Self, StartError> {
        let settings = ServerSettings::parse(&context.start.config)
            .map_err(|error| StartError::new(error.to_string()))?;
        let server = Server {
            host: context.host,
            settings: Arc::new(settings),
            connections: Arc::new(Connections::default()),
        };
        Ok(Self { addresses: Mutex::new(Addresses::new(server.clone())), server })
    }

    /// A link that cannot be served as it is put changes nothing: what was put under its number before goes on.
    async fn put_link(&self, grant: LinkGrant) -> Result<LinkDetail, LinkError> {
        let (link, peer) = (grant.link, grant.peer.to_string());
        let wanted = self.wanted(grant).await?;
        let put = self.addresses.lock().put(wanted).map_err(link_error)?;
        close(put.unused).await;
        info!(link, %peer, url = put.url, "serving");
        Ok(LinkDetail { url: Some(put.url) })
    }

    async fn delete_link(&self, link: u32) {
        let unused = self.addresses.lock().delete(link);
        close(unused).await;
    }

    async fn drain(&self) {
        let listeners = self.addresses.lock().clear();
        close(listeners).await;
        self.server.connections.none_left().await;
    }
}

impl HttpServer {
    /// What a link asks for, as far as it can be said without knowing the other links.
    async fn wanted(&self, grant: LinkGrant) -> Result<Wanted, LinkError> {
        check_grant(&grant)?;
        let settings =
            LinkSettings::parse(&grant.config, &self.server.settings).map_err(link_error)?;
        let address = resolve(&settings.address).await?;
        let tls = match &settings.tls {
            Some(tls) => Some(Tls::load(tls).await.map_err(link_error)?),
            None => None,
        };
        let target = Target {
            link: grant.link,
            timeout: settings.timeout,
            body_len_max: settings.body_len_max,
            tracing: settings.tracing,
        };
        let peer = grant.peer.to_string().into();
        let route = Route { host: settings.host, path: settings.path, peer, target };
        Ok(Wanted { address, tls, route })
    }
}

/// A link to this provider, for another contract, or with limits that we cannot hold anybody to, is not served.
fn check_grant(grant: &LinkGrant) -> Result<(), LinkError> {
    let served = wattle_http::HANDLE.interface;
    if grant.side != Side::Source {
        return Err(LinkError::new(
            "an http-server is called by nobody: make it the link's source",
        ));
    }
    if !grant.interfaces.iter().any(|interface| interface.as_str() == served) {
        return Err(LinkError::new(format!("an http-server calls {served}, and the link has not")));
    }
    match grant.constraints.keys().next() {
        None => Ok(()),
        Some(name) => Err(LinkError::new(format!("an http-server knows no constraint {name:?}"))),
    }
}

async fn resolve(address: &str) -> Result<SocketAddr, LinkError> {
    let found = match lookup_host(address).await {
        Ok(mut found) => found.next(),
        Err(error) => {
            let text = format!("address {address:?} is not host:port: {error}");
            return Err(LinkError::new(text));
        }
    };
    found.ok_or_else(|| LinkError::new(format!("address {address:?} has no host of that name")))
}

async fn close(listeners: impl IntoIterator<Item = Listener>) {
    for listener in listeners {
        listener.close().await;
    }
}

fn link_error(error: impl std::error::Error) -> LinkError {
    LinkError::new(error.to_string())
}
