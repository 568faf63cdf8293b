//! What every test needs: a server, hosts' keys, and patience with a limit.

use std::{fmt::Debug, future::Future, path::Path, time::Duration};

use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use wattle_core::{HostKey, LatticeName};
use wattle_lattice::{
    ConnectOptions, Lattice,
    server::{NatsServer, ServerOptions},
};

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that ends with the test.
pub(crate) struct Scene {
    pub(crate) nats: NatsServer,
    dir: TempDir,
}

impl Scene {
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let nats = NatsServer::start(server_in(dir.path())).await.unwrap();
        Self { nats, dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn connect(&self) -> Lattice {
        Lattice::connect(shop(), &self.nats.options()).await.unwrap()
    }

    /// The same over a line of somebody's (`host:port`).
    pub(crate) async fn connect_at(&self, address: &str) -> Lattice {
        let mut options = self.nats.options();
        options.servers = vec![format!("nats://{address}")];
        Lattice::connect(shop(), &options).await.unwrap()
    }

    /// A client without any of our manners, which may do everything.
    pub(crate) async fn stranger(&self) -> async_nats::Client {
        let wattle_lattice::Auth::UserPassword { user, password } = self.nats.options().auth else {
            unreachable!("ours have a password")
        };
        let options = async_nats::ConnectOptions::new().user_and_password(user, password);
        options.connect(self.nats.url()).await.unwrap()
    }
}

pub(crate) fn server_in(dir: &Path) -> ServerOptions {
    ServerOptions { dir: dir.join("nats"), ..ServerOptions::default() }
}

pub(crate) fn shop() -> LatticeName {
    "shop".parse().unwrap()
}

pub(crate) fn host(letter: char) -> HostKey {
    format!("N{}", letter.to_string().repeat(55)).parse().unwrap()
}

pub(crate) fn to(url: &str) -> ConnectOptions {
    ConnectOptions { servers: vec![url.to_owned()], ..ConnectOptions::default() }
}

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

/// Tries until it works.
pub(crate) async fn eventually<T, E: Debug, F: Future<Output = Result<T, E>>>(
    what: &str,
    attempt: impl Fn() -> F,
) -> T {
    let mut last = None;
    let tries = async {
        loop {
            match attempt().await {
                Ok(done) => return done,
                Err(error) => last = Some(error),
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let done = timeout(PATIENCE, tries).await;
    done.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}, but {last:?}"))
}

pub(crate) async fn until_connected(lattice: &Lattice, wanted: bool) {
    let mut connected = lattice.connected();
    let turned = connected.wait_for(|connected| *connected == wanted);
    soon("the connection turns", turned).await.unwrap();
}
