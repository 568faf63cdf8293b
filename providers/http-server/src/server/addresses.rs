//! The listeners, and which link is served where.

use std::{
    collections::{BTreeMap, HashMap},
    io, mem,
    net::SocketAddr,
    sync::Arc,
};

use crate::{
    listener::{self, Listener, Server, Site},
    routes::{Clash, Route, Routes},
    tls::Tls,
};

/// Why a link cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("address {address} is taken: something else listens there")]
    Taken { address: SocketAddr },
    #[error("cannot listen on {address}: {source}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("on address {address}, {clash}")]
    Clash { address: SocketAddr, clash: Clash },
    #[error(
        "address {address} serves other links with another certificate, or without one: give all its links the same"
    )]
    OtherTls { address: SocketAddr },
}

/// A link's wish.
pub(crate) struct Wanted {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Tls>,
    pub(crate) route: Route,
}

/// A link that is served.
pub(crate) struct Put {
    pub(crate) url: String,
    /// The listener of an address that the link left, where it was the last: for the caller to close.
    pub(crate) unused: Option<Listener>,
}

/// What tells listeners apart: the address, or for port 0 the link, since each such link gets a port of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Address(SocketAddr),
    AnyPort(SocketAddr, u32),
}

/// Every address that is listened on. Its owner's methods run on lane 0, which accepts.
pub(crate) struct Addresses {
    server: Server,
    listeners: BTreeMap<Key, Listener>,
    links: HashMap<u32, Key>,
}

impl Addresses {
    pub(crate) fn new(server: Server) -> Self {
        Self { server, listeners: BTreeMap::new(), links: HashMap::new() }
    }

    /// Serves a link, instead of what was served under its number. An error changes nothing.
    pub(crate) fn put(&mut self, wanted: Wanted) -> Result<Put, Error> {
        let Wanted { address, tls, route } = wanted;
        let link = route.target.link;
        let key = match address.port() {
            0 => Key::AnyPort(address, link),
            _ => Key::Address(address),
        };
        let url_end = (route.host.clone(), route.path.clone());
        let is_tls = tls.is_some();
        let listener = match self.listeners.get(&key) {
            Some(listener) => {
                share(listener.site(), route, tls)?;
                listener
            }
            None => {
                let listener = open(&self.server, address, route, tls)?;
                self.listeners.entry(key).or_insert(listener)
            }
        };
        let url = url(listener.site().address(), is_tls, url_end);
        let old = self.links.insert(link, key).filter(|old| *old != key);
        Ok(Put { url, unused: old.and_then(|old| self.remove(old, link)) })
    }

    /// Serves a link no more. If it was its address's last, the caller has to close the listener.
    pub(crate) fn delete(&mut self, link: u32) -> Option<Listener> {
        let key = self.links.remove(&link)?;
        self.remove(key, link)
    }

    /// Serves nothing more; the caller has to close the listeners.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = Listener> + use<> {
        self.links.clear();
        mem::take(&mut self.listeners).into_values()
    }

    fn remove(&mut self, key: Key, link: u32) -> Option<Listener> {
        let site = self.listeners.get(&key)?.site();
        let rest = site.routes().without(link);
        if rest.is_empty() {
            return self.listeners.remove(&key);
        }
        site.set_routes(rest);
        None
    }
}

/// Adds a link to an address that is listened on, in place of what it had there.
fn share(site: &Site, route: Route, tls: Option<Tls>) -> Result<(), Error> {
    let address = site.address();
    let others = site.routes().without(route.target.link);
    if !others.is_empty() && !site.has_tls(tls.as_ref()) {
        return Err(Error::OtherTls { address });
    }
    let routes = others.with(route).map_err(|clash| Error::Clash { address, clash })?;
    if !site.has_tls(tls.as_ref()) {
        site.set_tls(tls);
    }
    site.set_routes(routes);
    Ok(())
}

/// Listens on an address, with its first link's route in place before the first connection.
fn open(
    server: &Server,
    address: SocketAddr,
    route: Route,
    tls: Option<Tls>,
) -> Result<Listener, Error> {
    let socket = listener::bind(address).map_err(|error| refused(address, error))?;
    let bound = socket.local_addr().map_err(|error| refused(address, error))?;
    let site = Site::new(bound, server.clone(), tls);
    let routes = Routes::default().with(route).map_err(|clash| Error::Clash { address, clash })?;
    site.set_routes(routes);
    Ok(Listener::start(socket, Arc::new(site)))
}

fn refused(address: SocketAddr, source: io::Error) -> Error {
    if source.kind() == io::ErrorKind::AddrInUse {
        Error::Taken { address }
    } else {
        Error::Bind { address, source }
    }
}

/// Where a client reaches the link: by the host it is for, else by the address.
fn url(address: SocketAddr, is_tls: bool, (host, path): (Option<Box<str>>, Box<str>)) -> String {
    let scheme = if is_tls { "https" } else { "http" };
    let path = if path.is_empty() { "/" } else { &*path };
    match host {
        Some(host) => format!("{scheme}://{host}:{}{path}", address.port()),
        None => format!("{scheme}://{address}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_the_host_that_the_link_is_for() {
        let address = "[::1]:80".parse().expect("an address");
        assert_eq!(url(address, false, (None, "".into())), "http://[::1]:80/");
        let shop = (Some("shop".into()), "/a".into());
        assert_eq!(url(address, true, shop), "https://shop:80/a");
    }
}
