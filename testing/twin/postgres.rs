//! The same rows as the guest `ledger` answers with, over a PostgreSQL client in the same process.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming};
use tokio::sync::Semaphore;
use tokio_postgres::{Client, NoTls, Statement};

use crate::serve::Answer;

const TEXT: &str = "SELECT id, title, amount::text FROM entries WHERE id = $1";

const ENTRIES: u32 = 1_000;

/// Answers from a table.
pub(crate) struct Ledger {
    /// Which database.
    pub(crate) url: String,
    /// Connections of each lane.
    pub(crate) connections: usize,
}

type Prepared = (Client, Statement);

/// A connection in use. It goes back although whoever asked has hung up meanwhile.
struct Used<'a> {
    prepared: Option<Prepared>,
    pool: &'a Pool,
}

impl Drop for Used<'_> {
    fn drop(&mut self) {
        self.pool.idle().extend(self.prepared.take());
    }
}

/// A lane's connections. Each runs one statement at a time and has it prepared, which is as fast as a pool is.
pub(crate) struct Pool {
    free: Semaphore,
    idle: Mutex<Vec<Prepared>>,
}

impl Answer for Ledger {
    type Lane = Pool;

    async fn lane(&self) -> Result<Pool> {
        let mut idle = Vec::new();
        for _ in 0..self.connections {
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await?;
            tokio::spawn(connection);
            let statement = client.prepare(TEXT).await?;
            idle.push((client, statement));
        }
        Ok(Pool { free: Semaphore::new(self.connections), idle: Mutex::new(idle) })
    }

    async fn answer(pool: &Arc<Pool>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos();
        let id = i32::try_from(1 + nanos / 1_000 % ENTRIES)?;
        let _permit = pool.free.acquire().await?;
        let used = pool.take().context("there is one for each permit")?;
        let (client, statement) = used.prepared.as_ref().context("it is taken on drop")?;
        let body = match request.uri().path() {
            "/query" => {
                let row = client.query_one(statement, &[&id]).await?;
                format!("{:?}\n", row.try_get::<_, &str>(1)?)
            }
            "/prepared" => format!("{}\n", client.execute(statement, &[&id]).await?),
            path => bail!("there is no {path}"),
        };
        Ok(Response::new(Full::from(body)))
    }
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, Vec<Prepared>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Used<'_>> {
        let prepared = self.idle().pop()?;
        Some(Used { prepared: Some(prepared), pool: self })
    }
}
