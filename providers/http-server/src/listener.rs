//! One address: what is served on it, and the task that accepts connections and deals them out to the lanes.

mod open;
mod site;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};
use tracing::{debug, warn};

pub(crate) use self::{
    open::{Connections, Open},
    site::{Server, Site},
};
use crate::connection;

/// Connections that the kernel has accepted and we have not.
const BACKLOG: u32 = 1_024;

/// After an accept that failed for want of something (files, memory), which would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a connection past the limit is told.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    retry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// An address that is listened on until this is closed. Its connections then finish what is under way.
#[must_use = "it listens until it is closed"]
pub(crate) struct Listener {
    site: Arc<Site>,
    accepting: JoinHandle<()>,
}

/// Takes the address. Must run on a lane, which then accepts.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?; // connections of a server that just ended do not hold the port
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listener {
    pub(crate) fn start(socket: TcpListener, site: Arc<Site>) -> Self {
        let accepting = tokio::spawn(accept(socket, site.clone()));
        Self { site, accepting }
    }

    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    /// Gives the address back: when this returns, it can be bound again.
    pub(crate) async fn close(self) {
        self.site.close();
        self.accepting.abort();
        let _ = self.accepting.await; // it was cancelled, as it had to be
    }
}

async fn accept(socket: TcpListener, site: Arc<Site>) {
    let mut is_failing = false; // said once, not twenty times a second
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                is_failing = false;
                take(&site, stream);
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                if !is_failing {
                    warn!(address = site.authority(), %error, "cannot accept connections");
                }
                is_failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The client went away between its connecting and our accepting.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

fn take(site: &Arc<Site>, stream: TcpStream) {
    let Some(open) = site.connections().open(site.settings().connections_max) else {
        debug!(address = site.authority(), "too many connections");
        let _ = stream.try_write(FULL); // whoever has no room for these bytes gets a closed connection alone
        return;
    };
    if let Err(error) = deal(site, stream, open) {
        debug!(address = site.authority(), %error, "connection lost on its way to a lane");
    }
}

/// Hands the connection to the next lane, in turn: connections live long, and each should cost each lane the same.
fn deal(site: &Arc<Site>, stream: TcpStream, open: Open) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let patience = u32::try_from(site.settings().body_idle.as_millis()).unwrap_or(u32::MAX);
    // A client that reads nothing makes our writes wait; the kernel ends its connection, so we need no timer per write.
    rustix::net::sockopt::set_tcp_user_timeout(&stream, patience)?;
    let lane = open.number() % site.host().lanes();
    let stream = stream.into_std()?;
    let at = site.clone();
    site.host().spawn_on(lane, async move {
        match TcpStream::from_std(stream) {
            Ok(stream) => connection::serve(at, stream, open).await,
            Err(error) => warn!(%error, "a lane cannot take a connection"),
        }
    });
    Ok(())
}
