//! Connections to one Redis: one for each lane, so that a call never changes threads.

use std::{cell::Cell, pin::Pin, sync::Arc};

use tokio::task::AbortHandle;

use crate::{address::Address, connection::Connection};

thread_local! {
    /// The lane that this thread serves; unset on threads that serve none.
    static LANE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Runs tasks on lanes' threads: the SDK's host, or a test's runtime.
pub trait Lanes {
    /// How many there are.
    fn count(&self) -> usize;
    /// Runs a task on one lane's thread.
    fn spawn(&self, lane: usize, task: Pin<Box<dyn Future<Output = ()> + Send>>) -> AbortHandle;
}

impl Lanes for wattle_sdk::Host {
    fn count(&self) -> usize {
        self.lanes()
    }

    fn spawn(&self, lane: usize, task: Pin<Box<dyn Future<Output = ()> + Send>>) -> AbortHandle {
        self.spawn_on(lane, task).abort_handle()
    }
}

/// One Redis's connections. Dropping it closes them.
#[derive(Debug)]
pub struct Pool {
    connections: Vec<Arc<Connection>>,
    keepers: Vec<AbortHandle>,
}

impl Pool {
    /// Connects in the background, for ever.
    pub fn start(address: &Address, lanes: &impl Lanes) -> Self {
        let mut pool = Self { connections: Vec::new(), keepers: Vec::new() };
        for lane in 0..lanes.count() {
            let connection = Arc::new(Connection::new(address.clone()));
            pool.connections.push(Arc::clone(&connection));
            let keeper = async move {
                LANE.set(Some(lane));
                connection.keep().await;
            };
            pool.keepers.push(lanes.spawn(lane, Box::pin(keeper)));
        }
        pool
    }

    /// The calling lane's connection; another thread gets the first.
    pub(crate) fn connection(&self) -> &Connection {
        let lane = LANE.get().unwrap_or_default();
        self.connections.get(lane).unwrap_or(&self.connections[0])
    }

    /// Why Redis refuses this login, if it does. Waits for every lane's first attempt to connect, so that a Redis that is there
    /// serves whichever lane the first call comes on.
    pub async fn refusal(&self) -> Option<String> {
        let mut refusal = None;
        for connection in &self.connections {
            refusal = connection.refusal().await.or(refusal);
        }
        refusal
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for keeper in &self.keepers {
            keeper.abort();
        }
    }
}
